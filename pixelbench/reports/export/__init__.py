"""Tables for other programs: LaTeX for a paper, CSV and Parquet for whatever reads tables."""
