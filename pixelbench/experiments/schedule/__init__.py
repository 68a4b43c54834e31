"""Many runs: worker processes, memory, and what becomes of those that die."""
