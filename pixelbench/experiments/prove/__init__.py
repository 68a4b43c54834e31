"""Real bytes of stored runs: their test images coded by their models, and decoded in another process."""
