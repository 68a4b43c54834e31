"""Reports: a pure function of the store. Never imports torch, directly or through others."""
