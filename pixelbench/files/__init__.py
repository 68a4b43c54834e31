"""Files that are whole or not there, locked by one writer at a time."""
