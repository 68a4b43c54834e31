"""Pictures of a report: samples, dependence maps, curves, sheets, and where drawn ones are kept."""
