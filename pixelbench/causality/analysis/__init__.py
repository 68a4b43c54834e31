"""From measured changes to findings: offsets, contexts, orders, patterns of leaks, gaps, and the diagnosis."""
