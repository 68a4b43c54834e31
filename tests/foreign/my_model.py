"""What a user of PixelBench might have written: plain torch, nothing of PixelBench."""

import torch
from torch import nn


class MaskedConv2d(nn.Conv2d):
    """Mask A hides the current pixel, mask B does not."""

    def __init__(self, kind, inputs, outputs, size):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones_like(self.weight)
        mask[:, :, size // 2, size // 2 + (kind == "B") :] = 0
        mask[:, :, size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, input):
        return self._conv_forward(input, self.weight * self.get_buffer("mask"), self.bias)


class PixelCNN(nn.Module):
    """Grey images with values in [0, 1] in, logits of 4 levels out, with a residual connection around the second layer."""

    def __init__(self, first="A"):
        super().__init__()
        self.first = MaskedConv2d(first, 1, 8, 5)
        self.second = MaskedConv2d("B", 8, 8, 3)
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        h = torch.relu(self.first(x))
        return self.last(torch.relu(h + self.second(h)))


def make_correct():
    return PixelCNN()


def make_broken():
    """A mask B where mask A belongs."""
    return PixelCNN(first="B")
