"""Where an output keeps its parameters: read from a pattern, found out from sizes, or asked for."""

import pytest
import torch
from torch import Tensor

from pixelbench.causality.interface.layout import check_layout, infer_layout, parse_layout
from pixelbench.errors import UserError

pytestmark = pytest.mark.quick

#: Two images of three colours, not square.
KNOWN = {"b": 2, "c": 3, "h": 4, "w": 5}
GREY = {**KNOWN, "c": 1}
SQUARE = {**KNOWN, "w": 4}


def numbered(known: dict[str, int], parameters: int) -> Tensor:
    """(B, K, C, H, W), every entry another number."""
    sizes = (known["b"], parameters, known["c"], known["h"], known["w"])
    return torch.arange(torch.Size(sizes).numel(), dtype=torch.float64).view(sizes)


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("b k c h w", lambda x: x),
        ("b (k c) h w", lambda x: x.flatten(1, 2)),
        ("b (c k) h w", lambda x: x.transpose(1, 2).flatten(1, 2)),
        ("b h w c k", lambda x: x.permute(0, 3, 4, 2, 1)),
        ("b h w (c k)", lambda x: x.permute(0, 3, 4, 2, 1).flatten(3)),
        ("b (h w c) k", lambda x: x.permute(0, 3, 4, 2, 1).flatten(1, 3)),
        ("b (k c h w)", lambda x: x.flatten(1)),
        ("k b c h w", lambda x: x.transpose(0, 1)),
        ("  b ( k  c )h w ", lambda x: x.flatten(1, 2)),
    ],
)
def test_every_pattern_gives_the_same_arrangement(pattern: str, made) -> None:
    expected = numbered(KNOWN, 7)
    layout, output = parse_layout(pattern), made(expected)
    assert layout.parameters(output.shape, KNOWN) == 7
    assert torch.equal(layout.arrange(output, KNOWN), expected)


def test_without_k_there_is_one_parameter() -> None:
    expected = numbered(KNOWN, 1)
    assert torch.equal(parse_layout("b c h w").arrange(expected[:, 0], KNOWN), expected)
    assert torch.equal(parse_layout("b (h w c)").arrange(expected[:, 0].permute(0, 2, 3, 1).flatten(1), KNOWN), expected)


def test_without_c_all_colours_share_the_output() -> None:
    output = numbered(GREY, 7)
    arranged = parse_layout("b k h w").arrange(output[:, :, 0], KNOWN)
    assert arranged.shape == (2, 7, 3, 4, 5)
    assert all(torch.equal(arranged[:, :, colour], output[:, :, 0]) for colour in range(3))


def test_parameters_are_none_where_the_output_does_not_fit() -> None:
    layout = parse_layout("b (k c) h w")
    assert layout.parameters((2, 21, 4, 5), KNOWN) == 7
    for sizes in ((2, 20, 4, 5), (2, 0, 4, 5), (2, 21, 5, 4), (3, 21, 4, 5), (2, 21, 4), (2, 7, 3, 4, 5)):
        assert layout.parameters(sizes, KNOWN) is None


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("b (k c h w", "parentheses are nested, empty or not closed"),
        ("b ((k c) h) w", "parentheses are nested, empty or not closed"),
        ("b () k h w", "parentheses are nested, empty or not closed"),
        ("b k) h w", "parentheses are nested, empty or not closed"),
        ("b n c h w", "it has an axis 'n'"),
        ("b (k3) h w", "it has an axis 'k3'"),
        ("bkchw", "it has an axis 'bkchw'"),
        ("b k c h w -> b c h w k", "it has an axis '->'"),
        ("b k k h w", "it has 'k' twice"),
        ("b (h k) h w", "it has 'h' twice"),
        ("b k c h", "it has no 'w'"),
        ("k c h w", "it has no 'b'"),
        ("", "it has no 'b'"),
    ],
)
def test_a_bad_pattern_is_said_with_examples(pattern: str, fault: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_layout(pattern)
    assert fault in str(raised.value)
    assert f"'{pattern}'" in str(raised.value)
    assert '"b h w c k"' in str(raised.value)


@pytest.mark.parametrize(
    ("sizes", "known", "pattern"),
    [
        ((2, 7, 3, 4, 5), KNOWN, "b k c h w"),
        ((2, 3, 7, 4, 5), KNOWN, "b c k h w"),
        ((2, 4, 5, 3, 7), KNOWN, "b h w c k"),
        ((2, 4, 5, 7, 3), KNOWN, "b h w k c"),
        ((2, 7, 4, 5), KNOWN, "b k h w"),
        ((2, 4, 5, 7), KNOWN, "b h w k"),
        ((2, 60), KNOWN, "b (h w c)|b (c h w)"),
        ((2, 7, 4, 5), GREY, "b k h w"),
        ((2, 7, 1, 4, 5), GREY, "b k c h w"),
        ((2, 1, 4, 5), GREY, "b k h w"),
        ((2, 4, 5, 7), GREY, "b h w k"),
        ((2, 4, 5), GREY, "b h w"),
        ((2, 20), GREY, "b (h w)"),
        ((2, 7, 20), GREY, "b k (h w)"),
        ((2, 20, 7), GREY, "b (h w) k"),
        ((2, 4, 5), KNOWN, "b h w"),
        ((2, 20), KNOWN, "b (h w)"),
        ((2, 20, 7), KNOWN, "b (h w) k"),
        ((2, 3, 3, 4, 5), KNOWN, "b k c h w|b c k h w"),
        ((2, 21, 4, 5), KNOWN, "b (k c) h w|b (c k) h w|b k h w"),
        ((2, 3, 4, 5), KNOWN, "b c h w|b k h w"),
        ((2, 60, 7), KNOWN, "b (h w c) k|b (c h w) k"),
        ((2, 4, 4, 4), {**GREY, "w": 4}, "b k h w|b h w k"),
    ],
)
def test_a_layout_is_inferred_or_asked_for(sizes: tuple[int, ...], known: dict[str, int], pattern: str) -> None:
    candidates = pattern.split("|")
    if len(candidates) == 1:
        assert infer_layout(sizes, known).pattern == pattern
        return
    with pytest.raises(UserError, match="How is the output") as raised:
        infer_layout(sizes, known)
    message = str(raised.value)
    assert f"{sizes} laid out? Say it with output, on the command line --output: " in message
    listed = message.partition("--output: ")[2].partition(" (without")[0].rstrip(".")
    assert [part.strip('"') for part in listed.split(" or ")] == candidates
    assert ("without c: one output for all colours" in message) == any("c" not in candidate for candidate in candidates)


@pytest.mark.parametrize(
    ("sizes", "known", "said"),
    [
        ((2, 21, 2, 3), KNOWN, "it has not the 4 rows and 5 columns of the images; check padding and strides"),
        ((2, 7, 3, 5, 6), KNOWN, "it has not the 4 rows and 5 columns"),
        ((2, 21, 5, 4), KNOWN, "height and width are swapped"),
        ((2, 7, 3, 5, 4), KNOWN, "height and width are swapped"),
        ((2, 5, 4), GREY, "height and width are swapped"),
        ((2, 5, 4, 21), KNOWN, "height and width are swapped"),
        ((1, 21, 4, 5), KNOWN, "its first axis must be the 2 images"),
        ((), KNOWN, "its first axis must be the 2 images"),
        ((2, 2, 2, 3, 4, 5), KNOWN, "no usual layout has these sizes"),
        ((2, 61), KNOWN, "no usual layout has these sizes"),
        ((2, 7, 2, 4, 4), SQUARE, "no usual layout has these sizes"),
    ],
)
def test_what_fits_nothing_says_why(sizes: tuple[int, ...], known: dict[str, int], said: str) -> None:
    with pytest.raises(UserError, match=r"The module returned \(") as raised:
        infer_layout(sizes, known)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "sizes", "said"),
    [
        ("b (k c) h w", (2, 20, 4, 5), "its axis 'k c' has 20 entries, not a multiple of 3."),
        ("b (k c) h w", (2, 0, 4, 5), "its axis 'k c' has 0 entries, not a multiple of 3."),
        ("b k c h w", (2, 7, 2, 4, 5), "its axis 'c' has 2 entries, not 3."),
        ("b k c h w", (1, 7, 3, 4, 5), "its axis 'b' has 1 entries, not 2."),
        ("b (h w) c k", (2, 21, 3, 7), "its axis 'h w' has 21 entries, not 20."),
        ("b (k c) h w", (2, 21, 5, 4), "height and width are swapped."),
        ("b k c h w", (2, 7, 3, 4, 4), "it has not the 4 rows and 5 columns of the images; check padding and strides"),
        ("b k c h w", (2, 21, 4, 5), "it has 4 axes, not 5."),
        ("b k h w", (2, 7, 4, 5, 1), "it has 5 axes, not 4."),
    ],
)
def test_a_given_pattern_is_held_against_the_sizes(pattern: str, sizes: tuple[int, ...], said: str) -> None:
    with pytest.raises(UserError) as raised:
        check_layout(parse_layout(pattern), sizes, KNOWN)
    start = f"The module returned {sizes} for 2 images, which does not fit '{pattern}' with b=2, c=3, h=4, w=5: "
    assert str(raised.value).startswith(start + said)


def test_a_given_pattern_that_fits_is_no_question() -> None:
    for pattern in ("b (k c) h w", "b (c k) h w", "b k h w"):
        check_layout(parse_layout(pattern), (2, 21, 4, 5), KNOWN)
