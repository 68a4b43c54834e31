"""Published figures, and verdicts of our numbers on them: figures, and verdicts on runs. No torch, no renderer."""
