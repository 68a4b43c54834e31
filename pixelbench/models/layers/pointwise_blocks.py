"""More at the same pixel behind a block of PixelCNN++, without a wider field: what its small networks have (2017, section 3.3, Table 2).

Everything here reads features of one position, which the shifted layers before it have made causal, so it is causal as it stands, in any
order of maps.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pixelbench.models.layers.shifted import Activation, GatedBlock, Pointwise, concat_elu


class Deepened(nn.Module):
    """A gated block, then `sets` sets of its maps that read one another, then `blocks` gated blocks of 1x1 convolutions ("NIN").

    Each set of maps but the first goes through a gated block of 1x1 convolutions that has the sets before it, new as they are, for its
    other input: the skip connections between sets of channels ("autoregressive channel").

    Args:
        block: the block of convolutions that stands first.
        maps: of the residual path.
        sets, blocks: how many; 1 and 0 are none.
        dropout, condition: as in `GatedBlock`.
    """

    def __init__(self, block: GatedBlock, maps: int, *, sets: int, blocks: int, dropout: float, condition: int = 0):
        super().__init__()
        sizes = [len(part) for part in torch.arange(maps).tensor_split(sets)]

        def pointwise(inner: int, extra: int) -> GatedBlock:
            return GatedBlock(inner, extra, Pointwise, concat_elu, dropout, condition)

        self.block = block
        self.links = nn.ModuleList(pointwise(size, sum(sizes[: i + 1])) for i, size in enumerate(sizes[1:]))
        self.blocks = nn.ModuleList(pointwise(maps, 0) for _ in range(blocks))

    def twin(self, part_of: Callable[[nn.Module], Any]) -> Callable[[Tensor, Tensor | None], Tensor]:
        """The whole as a function of features and the first block's other input; `part_of` gives that of one gated block."""
        first, links, blocks = part_of(self.block), list(map(part_of, self.links)), list(map(part_of, self.blocks))

        def through(x: Tensor, extra: Tensor | None = None) -> Tensor:
            x = _linked(first(x, extra), links)
            for block in blocks:
                x = block(x)
            return x

        return through


def _linked(x: Tensor, links: Sequence[Activation | Callable[[Tensor, Tensor], Tensor]]) -> Tensor:
    """The sets of maps (B, maps, …), one after the other, each by those before it."""
    if not links:
        return x
    sets = list(x.tensor_split(len(links) + 1, 1))
    for i, link in enumerate(links, 1):
        sets[i] = link(sets[i], torch.cat(sets[:i], 1))  # type: ignore[call-arg]
    return torch.cat(sets, 1)
