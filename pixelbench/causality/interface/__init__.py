"""How images enter a module and what it returns is read: layouts, parts of an output, distributions and heads."""
