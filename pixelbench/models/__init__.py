"""Networks and baselines, one family a file; `families` knows them by name without loading torch."""
