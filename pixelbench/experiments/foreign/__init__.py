"""`check` of a user's module, in a process of its own."""
