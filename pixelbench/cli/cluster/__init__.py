"""Past one machine: an array of jobs and its table, several processes a run."""
