"""Suites: grids of tasks, variants and seeds with a budget, what each of their cells resolves to, and where each setting comes from."""
