"""Modules that others wrote, as families: found and described by reading their source, without executing it."""
