"""The command line: one file a command, each parses, calls, prints. Whatever is slow to import is imported inside the command."""
