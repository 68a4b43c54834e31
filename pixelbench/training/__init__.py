"""Training: recipe, loop, EMA, checkpoints. Knows nothing of stores, suites or consoles; yields events to whoever called it."""
