"""What turns a module's output into the conditional distributions of sub-pixels, where these are not a matter of the output alone.

A logistic mixture with coefficients conditions G on R, and B on both, in the loss: the network's output is one set of parameters a pixel.
So the conditionals, and not the output, are what must be causal and what shows whether a colour is seen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pixelbench.errors import UserError, first_line
from pixelbench.importing import import_file, split_target

#: (raw output (B, K, C or 1, H, W), integer images (B, C, H, W), levels) → (B, K', C, H, W).
Head = Callable[[Tensor, Tensor, int], Tensor]
NAMES = "logistic-mixture[:M], categorical, bernoulli, gaussian or FILE:function"
MIXTURE = "logistic-mixture"
_LEAST_PROBABILITY = 1e-12


def parse_head(head: str | Callable | None) -> Head | None:
    """The function that a name stands for; a function stands for itself.

    Raises:
        UserError: no such head, file or function.
    """
    if head is None or callable(head):
        return head
    name, colon, rest = head.partition(":")
    if name == MIXTURE and (not colon or (rest.isdecimal() and int(rest) > 0)):
        return LogisticMixture(int(rest) if colon else None)
    plain = {"categorical": categorical, "bernoulli": bernoulli, "gaussian": gaussian}
    if head in plain:
        return plain[head]
    path, function = split_target(head)
    if path.endswith(".py"):
        return function_in_file(Path(path), function, "--head", "(output, images, levels)")
    raise UserError(f"Unknown head '{head}'; give {NAMES}.")


def parameters_a_pixel(components: int, channels: int) -> int:
    """Of a logistic mixture: weights, means and scales of each colour, and a coefficient for each pair of colours."""
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


def categorical(output: Tensor, images: Tensor, levels: int) -> Tensor:
    """Logits of the levels → their logarithms of probabilities.

    Raises:
        UserError: not as many logits as levels.
    """
    if output.shape[1] != levels:
        raise UserError(f"--head categorical needs {levels} logits for each sub-pixel, one a level; the output has {output.shape[1]}.")
    return output.log_softmax(1)


def bernoulli(output: Tensor, images: Tensor, levels: int) -> Tensor:
    """A logit → the probability of the upper of two levels.

    Raises:
        UserError: more than one logit, or more than two levels.
    """
    if output.shape[1] != 1 or levels != 2:
        raise UserError(f"--head bernoulli needs one logit for each sub-pixel and --levels 2; got {output.shape[1]} and {levels} levels.")
    return output.sigmoid()


def gaussian(output: Tensor, images: Tensor, levels: int) -> Tensor:
    """Mean and logarithm of the scale: they are the distribution.

    Raises:
        UserError: other than two parameters.
    """
    if output.shape[1] != 2:
        raise UserError(f"--head gaussian needs two parameters for each sub-pixel, mean and log scale; the output has {output.shape[1]}.")
    return output


class LogisticMixture:
    """Parameters of a mixture of discretised logistics, in the order of PixelCNN++, → weights, means and scales of each sub-pixel.

    The maps of a pixel are M logits, then for each colour M means, M log scales, and M coefficients (with three colours; with one, none).
    The weights of a colour are those of the mixture given the earlier colours of the pixel, its means are moved by them.
    """

    def __init__(self, components: int | None) -> None:
        self.components = components

    def __call__(self, output: Tensor, images: Tensor, levels: int) -> Tensor:
        """See `Head`.

        Raises:
            UserError: the number of maps, or of colours, does not fit.
        """
        channels = images.shape[1]
        if channels not in (1, 3):
            raise UserError(f"--head {MIXTURE} is for 1 or 3 channels; the images have {channels}. Give FILE:function for others.")
        maps, each = output.shape[1], parameters_a_pixel(1, channels)
        components = self.components or maps // each
        if output.shape[2] not in (1, channels) or maps != components * each:
            wanted = f"{components * each} ({components} components)" if self.components else f"a multiple of {each}"
            raise UserError(f"--head {MIXTURE} needs {wanted} parameters a pixel; the output has {maps}.")
        raw = output[:, :, 0]
        logits, rest = raw[:, :components], raw[:, components:].unflatten(1, (channels, -1))
        means, scales = rest[:, :, :components], rest[:, :, components : 2 * components].clamp(min=-7.0)
        unit = 2 * images.to(output.dtype) / (levels - 1) - 1
        if channels > 1:
            means = _moved(means, rest[:, :, 2 * components :].tanh(), unit)
        weights, parts = logits.log_softmax(1), []
        for colour in range(channels):
            parts.append(torch.cat([weights, means[:, colour], scales[:, colour]], 1))
            likely = weights + _log_probability(unit[:, colour, None], means[:, colour], scales[:, colour], levels)
            weights = likely.log_softmax(1)
        return torch.stack(parts, 2)


def log_probabilities(parameters: Tensor, images: Tensor, levels: int) -> Tensor:
    """What `LogisticMixture` gives, (B, 3 M, C, H, W), and integer images (B, C, H, W) → log p of each sub-pixel (B, C, H, W)."""
    weights, means, scales = parameters.chunk(3, 1)
    unit = 2 * images.to(parameters.dtype) / (levels - 1) - 1
    return (weights + _log_probability(unit[:, None], means, scales, levels)).logsumexp(1)


def _moved(means: Tensor, coefficients: Tensor, unit: Tensor) -> Tensor:
    """(B, 3, M, H, W): those of G by R, those of B by R and G."""
    red, green = unit[:, 0, None], unit[:, 1, None]
    blue = means[:, 2] + coefficients[:, 1] * red + coefficients[:, 2] * green
    return torch.stack([means[:, 0], means[:, 1] + coefficients[:, 0] * red, blue], 1)


def _log_probability(value: Tensor, mean: Tensor, scale: Tensor, levels: int) -> Tensor:
    """Of a level, (B, 1, H, W) in [-1, 1], under each component."""
    half, sharp = 1 / (levels - 1), torch.exp(-scale)
    upper = torch.where(value > 1 - half, torch.ones_like(mean), ((value + half - mean) * sharp).sigmoid())
    lower = torch.where(value < -1 + half, torch.zeros_like(mean), ((value - half - mean) * sharp).sigmoid())
    return (upper - lower).clamp_min(_LEAST_PROBABILITY).log()


def function_in_file(path: Path, name: str, option: str, takes: str) -> Callable:
    """The function of that name in a Python file, which is executed.

    Args:
        option, takes: what an error says: `--head`, and the function's arguments.

    Raises:
        UserError: no such file or function, or it cannot be imported.
    """
    if not path.is_file():
        raise UserError(f"{option}: there is no file '{path}'; give FILE:function, which takes {takes}.")
    try:
        module = import_file(path, f"pixelbench_function_{path.stem}")
    except Exception as error:
        raise UserError(f"{option}: importing '{path}' failed: {first_line(error)}.") from error
    found: Any = getattr(module, name, None)
    if not callable(found):
        raise UserError(f"{option}: '{path}' has no function '{name}'; it takes {takes}.")
    return found
