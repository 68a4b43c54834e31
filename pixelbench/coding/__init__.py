"""Real bytes of a model's likelihood: a range coder driven by the step that the sampler takes, and the file that it writes."""
