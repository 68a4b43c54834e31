"""One file a command: each parses, calls, prints."""
