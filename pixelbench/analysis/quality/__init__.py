"""Sample quality as tables: what was measured, what it says, a tidy frame."""
