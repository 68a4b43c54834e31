"""One run, from model and images to record and artifacts."""
