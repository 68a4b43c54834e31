"""A user's module as something that can be probed: its layout, its state, its precision, repeatable and left as it was."""
