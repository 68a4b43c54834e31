"""What papers say, and what our numbers say of it: published figures, and verdicts on runs. No torch, no renderer."""
