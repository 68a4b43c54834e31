"""How much a check may take: memory, threads, time."""
