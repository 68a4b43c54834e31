"""The range coder: bit for bit the documented one, and what goes in comes out."""

import numpy as np
import pytest

from pixelbench.coding.stream import InvalidStreamError, Reader, Writer
from pixelbench.coding.tables import TOTAL, counts_of
from tests.coding.reference_coder import reference_words

pytestmark = pytest.mark.quick


def message(seed: int, most: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Symbols (B,) and tables (B, K), flat or nearly certain; some symbols are those that nobody expects."""
    chance = np.random.default_rng(seed)
    levels, length = int(chance.integers(2, 300)), int(chance.integers(1, most))
    probabilities = chance.dirichlet(np.full(levels, chance.choice([0.01, 0.1, 1.0])), length)
    likely = np.array([chance.choice(levels, p=row / row.sum()) for row in probabilities])
    symbols = np.where(chance.random(length) < 0.9, likely, chance.integers(levels, size=length))
    return symbols, counts_of(probabilities)


@pytest.mark.parametrize("most", [3, 60])
def test_bytes_are_those_of_the_documented_coder(most: int) -> None:
    for seed in range(200):
        symbols, counts = message(seed, most)
        writer = Writer()
        writer.put(symbols, counts)
        assert np.frombuffer(writer.to_bytes(), "<u4").tolist() == reference_words(symbols, counts), seed


@pytest.mark.parametrize("seed", range(20))
def test_what_is_put_in_parts_comes_out_in_other_parts(seed: int) -> None:
    symbols, counts = message(seed)
    writer = Writer()
    for first in range(0, len(symbols), 7):
        writer.put(symbols[first : first + 7], counts[first : first + 7])
    reader = Reader(writer.to_bytes())
    taken = [reader.take(counts[first : first + 5]) for first in range(0, len(symbols), 5)]
    assert np.concatenate(taken).tolist() == symbols.tolist()


def test_a_certain_symbol_costs_next_to_nothing_and_an_unexpected_one_24_bits() -> None:
    counts = counts_of(np.tile([1.0, 0.0], (10_000, 1)))
    writer = Writer()
    writer.put(np.zeros(10_000, np.int64), counts)
    assert len(writer.to_bytes()) <= 8
    unexpected = Writer()
    unexpected.put(np.ones(1_000, np.int64), counts[:1_000])
    assert 3_000 <= len(unexpected.to_bytes()) <= 3_008


def test_with_other_tables_something_else_comes_out_or_nothing() -> None:
    symbols, counts = message(3)
    writer = Writer()
    writer.put(symbols, counts)
    try:
        other = Reader(writer.to_bytes()).take(counts[:, ::-1])
    except InvalidStreamError:
        return
    assert other.tolist() != symbols.tolist()


def test_bytes_that_are_no_words_are_refused() -> None:
    with pytest.raises(InvalidStreamError, match="5 bytes are no whole words of 4"):
        Reader(b"12345")


def test_an_empty_stream_has_no_bytes() -> None:
    assert Writer().to_bytes() == b""
    assert TOTAL == 1 << 24
