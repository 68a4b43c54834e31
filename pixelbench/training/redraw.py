"""Dynamic binarisation: pixels of 0 and 1 drawn from grey values."""

import torch
from torch import Tensor

GREYS = 255


def redraw(greys: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 images of the shape of `greys`, on its device, where `generator` must be: each pixel is 1 with probability `grey / 255`."""
    return (torch.rand(greys.shape, generator=generator, device=greys.device) * GREYS < greys).to(torch.uint8)
