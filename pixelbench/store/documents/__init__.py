"""Documents of a store other than records: JSON files that hold a digest of their own contents."""
