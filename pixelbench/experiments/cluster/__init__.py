"""Runs on a cluster: a plan as an array of jobs, its submission to Slurm, and how far it is. No torch."""
