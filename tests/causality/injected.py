"""Leaks injected into tiny nets: negative controls of the checker, and of other tests as well.

`FAULTS` are leaks, `GAPS` missing context without a leak. Each says how to build the net, on which shape it is checked, what must be
found, what must not, and the name of the diagnosis.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import pad

from tests.causality.faulty import (
    AtSeven,
    ChannelNorm,
    Circular,
    Counting,
    Depthwise,
    Dilated,
    Excited,
    MaskATwice,
    MaskOnce,
    ModuloColours,
    Patches,
    RowAttention,
    RowBackwards,
    Scan,
    TwoStacks,
    Unmasked,
    colour_blind,
    flipped,
    twice_faulty,
)
from tests.causality.nets import (
    Attention,
    Concatenated,
    Extra,
    GateSplit,
    NeighbourInBatch,
    Net,
    Normed,
    ResidualFirst,
    SharedOut,
    Transposed,
    Unshifted,
    at_border,
    smaller_of_next_two,
    stepwise,
    weak,
)


@dataclass(frozen=True)
class Fault:
    """A net with a leak.

    Attributes:
        offset, colours: a kind of leak that must be reported, colours as (input, output); None where the fault has no offset of its own.
        diagnosis: a name that must be among the diagnoses.
        absent: an offset at which nothing may be reported.
    """

    build: Callable[[], nn.Module]
    channels: int
    offset: tuple[int, int] | None
    colours: tuple[int, int] = (0, 0)
    diagnosis: str = "sees-itself"
    mode: str = "eval"
    coupled: bool = False
    absent: tuple[int, int] | None = None
    after_step: bool = False
    size: tuple[int, int] = (4, 5)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Not square, so that swapped sizes show."""
        return (self.channels, *self.size)


@dataclass(frozen=True)
class Gap:
    """A net without a leak that misses context: `offset` and `colours` (input, output) must be missing, `seen` must not."""

    build: Callable[[], nn.Module]
    channels: int
    offset: tuple[int, int]
    diagnosis: str
    colours: tuple[int, int] = (0, 0)
    seen: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Large enough for the context of three layers."""
        return (self.channels, 6, 9)


def right_neighbour(x: Tensor) -> Tensor:
    """Each pixel sees the next one of its row."""
    return pad(x[..., 1:], (0, 1))


def rolled(x: Tensor) -> Tensor:
    """Each pixel sees the previous one in raster order, and the first one the last."""
    return x.flatten(2).roll(1, 2).view_as(x)


FAULTS: dict[str, Fault] = {
    "mask B first": Fault(lambda: Net(1, own_first=True), 1, (0, 0), absent=(0, 1)),
    "mask B first, colours": Fault(lambda: Net(3, own_first=True), 3, (0, 0), (2, 2), absent=(0, 1)),
    "residual around the first layer": Fault(lambda: ResidualFirst(1), 1, (0, 0), absent=(0, 1)),
    "residual around the first layer, colours": Fault(lambda: ResidualFirst(3), 3, (0, 0), (1, 1), absent=(0, 1)),
    "kernel rows below kept": Fault(lambda: Net(1, keep_below=True), 1, (1, -1), diagnosis="rows-below-kept", absent=(2, 0)),
    "kernel rows below kept, colours": Fault(lambda: Net(3, keep_below=True), 3, (1, 0), (2, 0), "rows-below-kept", absent=(2, 0)),
    "mask made and not used": Fault(lambda: Unmasked(3, centre=False), 3, (1, 1), (2, 0), "rows-below-kept", absent=(2, 0)),
    "mask lost in training": Fault(lambda: MaskOnce(1), 1, (1, 1), diagnosis="mask-lost-in-training", absent=(2, 0), after_step=True),
    "centre of the mask open": Fault(lambda: Unmasked(3, centre=True), 3, (0, 0), (2, 0), "whole-pixel-seen", absent=(0, 1)),
    "vertical stack not shifted": Fault(lambda: Unshifted(1), 1, (0, 1), diagnosis="vertical-stack-unshifted", absent=(1, 0)),
    "vertical stack not shifted, colours": Fault(lambda: Unshifted(3), 3, (0, 1), (2, 0), "vertical-stack-unshifted", absent=(1, 0)),
    "right neighbour seen": Fault(lambda: Extra(1, right_neighbour), 1, (0, 1), diagnosis="right-neighbours-seen", absent=(0, 0)),
    "gate split mixes colours": Fault(lambda: GateSplit(3), 3, (0, 0), (1, 1), "colours-mixed", absent=(0, 1)),
    "concatenation mixes colours": Fault(lambda: Concatenated(3), 3, (0, 0), (1, 1), "colours-mixed", absent=(0, 1)),
    "concatenation mixes two colours": Fault(lambda: Concatenated(2), 2, (0, 0), (0, 0), "colours-mixed", absent=(0, 1)),
    "width not divisible": Fault(lambda: ModuloColours(3), 3, (0, 0), (0, 0), "colours-mixed", absent=(0, 1)),
    "normalisation over channels": Fault(lambda: ChannelNorm(3), 3, (0, 0), (1, 0), "colours-mixed", absent=(0, 1)),
    "BatchNorm in training": Fault(lambda: Normed(3, nn.BatchNorm2d), 3, (2, 2), (0, 0), "coupled-over-batch", "train", True),
    "BatchNorm in training, one channel": Fault(lambda: Normed(1, nn.BatchNorm2d), 1, (1, 1), (0, 0), "coupled-over-batch", "train", True),
    "InstanceNorm over space": Fault(lambda: Normed(1, lambda maps: nn.InstanceNorm2d(maps)), 1, (2, 2), diagnosis="normalised-over-space"),
    "GroupNorm over space": Fault(lambda: Normed(3, lambda maps: nn.GroupNorm(3, maps)), 3, (2, 2), (2, 0), "normalised-over-space"),
    "LayerNorm over space": Fault(lambda: Normed(3, lambda maps: nn.LayerNorm([maps, 4, 5])), 3, (2, 2), (1, 1), "normalised-over-space"),
    "squeeze and excite": Fault(lambda: Excited(1), 1, (3, -2), diagnosis="normalised-over-space"),
    "attention without a mask": Fault(lambda: RowAttention(1, mask=False), 1, (2, 3), diagnosis="normalised-over-space"),
    "first pixel attends to everything": Fault(lambda: Attention(1, sink=False), 1, (3, 4), diagnosis="first-row-attends-to-everything"),
    "first row attends to everything": Fault(
        lambda: RowAttention(1, mask=True), 1, (2, 2), diagnosis="first-row-attends-to-everything", size=(5, 4)
    ),
    "coupling over the batch": Fault(lambda: NeighbourInBatch(1), 1, None, diagnosis="coupled-over-batch", coupled=True),
    "divided by the batch size": Fault(lambda: SharedOut(1), 1, None, diagnosis="coupled-over-batch", coupled=True),
    "gain 1e-9": Fault(lambda: Extra(1, weak), 1, (0, 0), diagnosis="weak-path", absent=(0, 1)),
    "gain 1e-9, colours": Fault(lambda: Extra(3, lambda x: weak(x.flip(1))), 3, (0, 0), (2, 0), "weak-path", absent=(0, 1)),
    "no gradient": Fault(lambda: Extra(3, stepwise), 3, (0, 0), (1, 1), absent=(0, 1)),
    "one value only": Fault(lambda: AtSeven(1), 1, (0, 0), absent=(0, 1)),
    "at the border only": Fault(lambda: Extra(1, at_border), 1, (0, 1), diagnosis="border-only", absent=(0, 0)),
    "several must differ at once": Fault(
        lambda: Extra(1, smaller_of_next_two), 1, (0, 2), diagnosis="right-neighbours-seen", absent=(0, 0)
    ),
    "in a later call, counted by an attribute": Fault(
        lambda: Counting(1, buffer=False), 1, (0, 0), diagnosis="carries-state", absent=(0, 1)
    ),
    "in a later call, counted by a buffer": Fault(lambda: Counting(3, buffer=True), 3, (0, 0), (1, 1), "carries-state", absent=(0, 1)),
    "recurrent in the wrong direction": Fault(lambda: Scan(shift=1, reverse=True), 1, (2, 1), diagnosis="wrong-direction", absent=(0, 0)),
    "recurrent row pass not shifted down": Fault(lambda: RowBackwards(1), 1, (0, 3), diagnosis="whole-row-seen", absent=(1, 0)),
    "recurrent shifted the wrong way": Fault(
        lambda: Scan(shift=-1, reverse=False), 1, (1, -4), (0, 0), "shifted-the-wrong-way", absent=(0, 2)
    ),
    "circular padding": Fault(lambda: Circular(1), 1, (0, 4), diagnosis="wraps-around", absent=(0, 1)),
    "rolled over the raster": Fault(lambda: Extra(1, rolled), 1, (3, 4), diagnosis="wraps-around", absent=(0, 1)),
    "width and height swapped": Fault(lambda: Transposed(1), 1, (1, -1), diagnosis="width-and-height-swapped", absent=(0, 0)),
    "width and height swapped, colours": Fault(lambda: Transposed(3), 3, (1, -1), (2, 0), "width-and-height-swapped", absent=(0, 1)),
    "rows in reverse": Fault(lambda: flipped(1, -2), 1, (1, 1), diagnosis="wrong-direction", absent=(0, 1)),
    "columns in reverse": Fault(lambda: flipped(1, -1), 1, (0, 1), diagnosis="wrong-direction", absent=(1, 0)),
    "B-G-R colours": Fault(lambda: flipped(3, -3), 3, (0, 0), (2, 0), "colours-in-another-order", absent=(0, 1)),
    "blocks of a stride": Fault(lambda: Patches(1), 1, (1, 1), diagnosis="strided", absent=(2, 0), size=(4, 6)),
    "itself and the border": Fault(lambda: twice_faulty(1), 1, (0, 1), diagnosis="border-only", absent=(1, 0)),
}

GAPS: dict[str, Gap] = {
    "one stack": Gap(lambda: Net(1), 1, (-1, 2), "blind-spot", seen=(-1, 1)),
    "one stack, colours": Gap(lambda: Net(3), 3, (-1, 2), "blind-spot", (2, 1), seen=(-1, 1)),
    "two stacks that are all strictly above": Gap(lambda: TwoStacks(1, strict=True), 1, (-1, 2), "blind-spot", seen=(-1, -3)),
    "link missing": Gap(lambda: TwoStacks(1, link=False), 1, (-1, 0), "vertical-link-missing", seen=(0, -1)),
    "own row missing": Gap(lambda: TwoStacks(1, own_row=False), 1, (0, -1), "own-row-missing", seen=(-1, 3)),
    "mask A twice": Gap(lambda: MaskATwice(1), 1, (0, -1), "left-neighbour-missing", seen=(0, -2)),
    "colour-blind first layer": Gap(lambda: colour_blind(3), 3, (0, 0), "colour-blind", (0, 1), seen=(0, -1)),
    "one colour blind": Gap(lambda: colour_blind(3, 2), 3, (0, 0), "partial-colour-conditioning", (1, 2), seen=(0, -1)),
    "channels apart": Gap(lambda: Depthwise(3), 3, (0, -1), "channels-apart", (1, 0), seen=(0, -1)),
    "dilated": Gap(lambda: Dilated(1), 1, (0, -1), "lattice", seen=(0, -4)),
    "constant": Gap(lambda: Extra(1, lambda x: 0 * x).requires_grad_(False).apply(_silent), 1, (0, -1), "nothing-seen"),
}


def _silent(module: nn.Module) -> None:
    for weight in module.parameters(recurse=False):
        weight.zero_()
