"""One training step on random images: a mask that was only multiplied once, at the start, does not survive it."""

import torch

from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.probing.probes import Probes
from pixelbench.errors import UserError

_IMAGES = 4
_STEP = 1e-2
_MOST_STEPS = 4


def take_steps(subject: Subject, probes: Probes, seed: int) -> None:
    """Train one step, and further, smaller ones as long as they reach more parameters: a head of zeros hides all before it."""
    reached = 0
    for step in range(_MOST_STEPS):
        moved, all_of_them = take_step(subject, probes, seed, _STEP / 2**step)  # equal ones may take one another back
        if moved <= reached or moved == all_of_them:
            return
        reached = moved


def take_step(subject: Subject, probes: Probes, seed: int, size: float) -> tuple[int, int]:
    """Move every weight that has a gradient by the same small amount against its sign, and make that the state calls start from.

    The loss is a random projection of the outputs: whatever the module's own is, it moves the same weights. A step of one size moves those
    that a mask has set to zero, too, as any optimiser would.

    Returns:
        How many parameters it moved, and how many there are.

    Raises:
        UserError: there is nothing to train, or no gradient arrives.
    """
    output, parameters = subject.with_gradients(probes.random_images(_IMAGES))
    advice = f"check {subject.name} without the training step"
    if not parameters:
        raise UserError(f"{subject.name} has no parameters that could be trained; {advice}.")
    if not output.requires_grad:
        raise UserError(f"{subject.name}'s output has no gradient, so that no training step can be made; {advice}.")
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed), dtype=output.dtype).to(output.device)
    loss = (output.masked_fill(~output.isfinite(), 0.0) * weights).mean()  # log-probabilities may be -inf
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    moves = [None if gradient is None else torch.nan_to_num(gradient).sgn() for gradient in gradients]
    if not any(move is not None and bool(move.any()) for move in moves):
        raise UserError(f"No gradient reaches the parameters of {subject.name}, so that a training step changes nothing; {advice}.")
    with torch.no_grad():
        for parameter, move in zip(parameters, moves, strict=True):
            if move is not None:
                parameter.sub_(size * move)
    subject.save()
    return sum(move is not None and bool(move.any()) for move in moves), len(moves)
