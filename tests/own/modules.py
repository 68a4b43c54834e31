"""Networks as people write them, none of which knows PixelBench; each has a factory that a suite names."""

# people leave types out
# pyright: basic, reportIncompatibleMethodOverride=false, reportOperatorIssue=false, reportArgumentType=false

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedConv(nn.Conv2d):
    """`own`: whether the current pixel is seen."""

    def __init__(self, inputs: int, outputs: int, size: int, *, own: bool):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + own :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight * self.get_buffer("mask"), self.bias)


class PixelNet(nn.Module):
    """Floats in [0, 1] → logits (B, outputs, H, W); `channels` of a pixel are seen in later pixels only."""

    def __init__(self, channels: int, outputs: int, maps: int = 8, own: bool = False):
        super().__init__()
        self.first = MaskedConv(channels, maps, 5, own=own)
        self.second = MaskedConv(maps, maps, 3, own=True)
        self.head = nn.Conv2d(maps, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first(x))
        return self.head(F.relu(h + self.second(h)))


def make(levels, maps=8):
    return PixelNet(1, levels, maps)


def make_leaking(levels, maps=8):
    return PixelNet(1, levels, maps, own=True)


def make_colours(channels, levels):
    return PixelNet(channels, channels * levels)


class Distributed(PixelNet):
    """Returns a distribution."""

    def forward(self, x: Tensor) -> torch.distributions.Distribution:
        return torch.distributions.Categorical(logits=super().forward(x).movedim(1, -1)[:, None])


def make_distribution(levels):
    return Distributed(1, levels)


class Hugging(PixelNet):
    """Returns an object with `logits` and `loss`, and takes arguments with defaults."""

    def forward(self, pixel_values, return_dict=True):
        return SimpleNamespace(logits=super().forward(pixel_values), loss=None)


def make_hugging(levels):
    return Hugging(1, levels)


class ReversedMADE(nn.Module):
    """Flat vectors (B, D) → one logit each; drawn from the last place to the first."""

    def __init__(self, size: int, hidden: int = 24):
        super().__init__()
        place = torch.arange(size)
        unit = torch.arange(hidden) % (size - 1) + 1  # a unit sees the places from its own on
        self.first, self.last = nn.Linear(size, hidden), nn.Linear(hidden, size)
        self.register_buffer("seen", (place[None] >= unit[:, None]).float())
        self.register_buffer("shown", (unit[None] > place[:, None]).float())

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(F.linear(x, self.first.weight * self.seen, self.first.bias))
        return F.linear(h, self.last.weight * self.shown, self.last.bias)


def make_made(height, width):
    return ReversedMADE(height * width)


class Decoder(nn.Module):
    """Tokens (B, T) → logits (B, T, vocabulary) of the same tokens: a start token stands before them."""

    def __init__(self, length: int, vocabulary: int, width: int = 16):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary + 1, width), nn.Parameter(torch.randn(length, width) * 0.1)
        self.block = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, vocabulary)
        self.start = vocabulary

    def forward(self, tokens: Tensor) -> Tensor:
        before = F.pad(tokens[:, :-1], (1, 0), value=self.start)
        hidden = self.tokens(before) + self.places
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=hidden.dtype)
        return self.head(self.block(hidden, src_mask=mask, is_causal=True))


def make_decoder(height, width, levels):
    return Decoder(height * width, levels)


def make_mixture(channels, components=2):
    return PixelNet(channels, components * (1 + 2 * channels + channels * (channels - 1) // 2))


class Classed(PixelNet):
    """Conditional on the class."""

    def __init__(self, levels: int, classes: int, maps: int = 8):
        super().__init__(1, levels, maps)
        self.shift = nn.Embedding(classes, maps)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        h = F.relu(self.first(x) + self.shift(labels)[:, :, None, None])
        return self.head(F.relu(h + self.second(h)))


def make_classed(levels, classes):
    return Classed(levels, classes)


class OnlyLikelihood(nn.Module):
    """A module that gives the logarithm of an image's probability, and nothing else."""

    def __init__(self, levels: int):
        super().__init__()
        self.net, self.levels = PixelNet(1, levels), levels

    def log_prob(self, x: Tensor) -> Tensor:
        logits = self.net(x).log_softmax(1)
        values = (x * (self.levels - 1)).round().long()
        return logits.gather(1, values)[:, 0].sum((1, 2))


def make_likelihood(levels):
    return OnlyLikelihood(levels)


class Fixed(OnlyLikelihood):
    """For images of one size."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x.reshape(len(x), 1, 5, 4))


def make_likelihood_at_5x4(levels):
    return Fixed(levels)


class Unnormalised(OnlyLikelihood):
    """Gives every image twice its probability."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x) + 0.7


def make_unnormalised(levels):
    return Unnormalised(levels)


class DrawingLikelihood(OnlyLikelihood):
    """Draws by itself as well."""

    def __init__(self, levels, height, width):
        super().__init__(levels)
        self.size = height, width

    def sample(self, n):
        x = torch.zeros(n, 1, *self.size)
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                x[:, 0, i, j] = torch.multinomial(self.net(x)[:, :, i, j].softmax(1), 1)[:, 0] / (self.levels - 1)
        return x


def make_drawing_likelihood(levels, height, width):
    return DrawingLikelihood(levels, height, width)


def make_nothing(levels):
    return "no module"


def make_needy(levels, depth):
    return PixelNet(1, levels, depth)


class Powerless(PixelNet):
    """A head of zeros: fresh weights see nothing."""

    def __init__(self, levels: int):
        super().__init__(1, levels)
        nn.init.zeros_(self.head.weight)


def make_powerless(levels):
    return Powerless(levels)


class Drawing(PixelNet):
    """Draws by itself, one pixel after the other; or all at once from noise, or one level too high, or images of another size."""

    def __init__(self, levels, height, width, fault):
        super().__init__(1, levels)
        self.levels, self.size, self.fault = levels, (height, width), fault

    def sample(self, n):
        height, width = self.size
        x = torch.zeros(n, 1, height, width)
        if self.fault == "at once":
            return torch.distributions.Categorical(logits=self(torch.rand_like(x)).movedim(1, -1)[:, None]).sample()
        for i in range(height):
            for j in range(width):
                x[:, 0, i, j] = torch.multinomial(self(x)[:, :, i, j].softmax(1), 1)[:, 0] / (self.levels - 1)
        return x + 1 / (self.levels - 1) if self.fault == "high" else x

    def broken(self, n):
        raise RuntimeError("not today")


def make_drawing(levels, height, width, fault=""):
    return Drawing(levels, height, width, fault)


def make_drawing_at_5x4(levels):
    return Drawing(levels, 5, 4, "")


class DrawingClasses(Classed):
    """Draws images of classes, as integers."""

    def __init__(self, levels, classes, height, width):
        super().__init__(levels, classes)
        self.levels, self.size = levels, (height, width)

    def sample(self, num_samples, labels):
        x = torch.zeros(num_samples, 1, *self.size, dtype=torch.long)
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                logits = self(x / (self.levels - 1), labels)[:, :, i, j]
                x[:, 0, i, j] = torch.multinomial(logits.softmax(1), 1)[:, 0]
        return x


def make_drawing_classes(levels, classes, height, width):
    return DrawingClasses(levels, classes, height, width)


class Learning(PixelNet):
    """Has a training loop called `train`."""

    def __init__(self, channels: int, outputs: int):
        super().__init__(channels, outputs)
        self.thinned = nn.Dropout(0.5)

    def train(self, batches, epochs=3):
        for _ in range(epochs):
            for batch in batches:
                self(batch)

    def forward(self, x: Tensor) -> Tensor:
        return self.thinned(super().forward(x))


def make_learning(levels):
    return Learning(1, levels)
