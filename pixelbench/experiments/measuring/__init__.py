"""Measurements of the samples of stored runs: drawn, held against real images, kept beside the records. Nothing is trained."""
