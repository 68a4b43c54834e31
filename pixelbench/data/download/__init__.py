"""Getting published files: verified, resumed, and never twice."""
