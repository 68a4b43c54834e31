"""`conditionals` normalises over the levels without copying the logits, however they lie in memory."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.heads import Softmax


class Fixed(AutoregressiveModel):
    """Fixed logits, in the memory order of a head's maps or in that of (B, levels, C, H, W)."""

    def __init__(self, dtype: torch.dtype, *, plain: bool):
        super().__init__(3, 2, 4, 5, None)
        self.output = Softmax(3, 5)
        maps = torch.randn(2, 3 * 5, 2, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
        logits = self.output.raw(maps)
        self.logits = logits.contiguous() if plain else logits

    def forward(self, images: Tensor) -> Tensor:
        return self.logits


IMAGES = torch.zeros(2, 3, 2, 4, dtype=torch.uint8)


def test_the_values_do_not_depend_on_the_layout():
    for plain in (True, False):
        head = Fixed(torch.float64, plain=plain)
        assert torch.equal(head.conditionals(IMAGES), F.log_softmax(head.logits.contiguous(), 1))


def test_the_layout_is_kept_so_that_nothing_is_copied():
    for plain in (True, False):
        head = Fixed(torch.float32, plain=plain)
        assert head.conditionals(IMAGES).stride() == head.logits.stride()


def test_bf16_logits_are_normalised_in_fp32():
    head = Fixed(torch.bfloat16, plain=False)
    assert head.conditionals(IMAGES).dtype == torch.float32
