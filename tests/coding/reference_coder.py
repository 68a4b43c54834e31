"""The range coder of `docs/bytes.md` in whole numbers of any length: slow, and nothing but the definition."""

import numpy as np

WORD = 1 << 32
PRECISION = 24


def reference_words(symbols: np.ndarray, counts: np.ndarray) -> list[int]:
    """The 32-bit words of symbols (B,) by tables (B, K)."""
    low, width, shifted = 0, (1 << 64) - 1, 0
    for symbol, table in zip(symbols.tolist(), counts.tolist(), strict=True):
        unit = width >> PRECISION
        low += unit * sum(table[:symbol])
        width = unit * table[symbol]
        if width < WORD:
            low, width, shifted = low * WORD, width * WORD, shifted + 1
    if not len(symbols):
        return []
    first = -(-low // WORD)  # the least multiple of 2^32 in the interval
    words = [(first >> (32 * place)) % WORD for place in range(shifted, -1, -1)]
    return words if (first + 1) * WORD <= low + width else [*words, 0]
