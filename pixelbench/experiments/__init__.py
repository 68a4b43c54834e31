"""Plans and workers: which runs a suite asks for, which of them the store lacks, and who executes them."""
