"""The range coder: symbols and their counts to bytes, and back. The arithmetic is that of the package `constriction`.

The format is the coder's alone, and `docs/bytes.md` says it: words of 32 bits, a state of 64, tables of 2^24. `constriction` takes floating
point weights w and gives level v the count 1 + floor(w_v * (2^24 - K) / sum of w), through rounded cumulative sums. For the weights
`counts - 1`, which are whole numbers of sum 2^24 - K, nothing is rounded, and the counts are ours.
"""

from typing import Any

import constriction
import numpy as np

_stream: Any = vars(constriction)["stream"]  # an extension module, of which no type checker knows
_WORD = np.dtype("<u4")


class InvalidStreamError(Exception):
    """The bytes cannot have come from these tables."""


class Writer:
    """Codes symbols one after another; the first in is the first out."""

    def __init__(self) -> None:
        self._encoder = _stream.queue.RangeEncoder()

    def put(self, symbols: np.ndarray, counts: np.ndarray) -> None:
        """Code symbols (B,), each by its own row of counts (B, K)."""
        self._encoder.encode(symbols.astype(np.int32), _family(), _weights(counts))

    def to_bytes(self) -> bytes:
        """All so far, with the words that end the stream."""
        return self._encoder.get_compressed().astype(_WORD).tobytes()


class Reader:
    """Takes the same symbols out again, given the same tables.

    Raises:
        InvalidStreamError: the bytes are not whole words.
    """

    def __init__(self, blob: bytes) -> None:
        if len(blob) % _WORD.itemsize:
            raise InvalidStreamError(f"{len(blob)} bytes are no whole words of {_WORD.itemsize}")
        self._decoder = _stream.queue.RangeDecoder(np.frombuffer(blob, _WORD).astype(np.uint32))

    def take(self, counts: np.ndarray) -> np.ndarray:
        """Symbols (B,) int64, one for each row of counts (B, K).

        Raises:
            InvalidStreamError: no symbol has this place in the interval, as other tables would have it.
        """
        try:
            return np.asarray(self._decoder.decode(_family(), _weights(counts))).astype(np.int64)
        except (AssertionError, ValueError) as error:
            raise InvalidStreamError(str(error)) from None


def _family() -> Any:
    return _stream.model.Categorical(perfect=False)


def _weights(counts: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(counts - 1, np.float64)
