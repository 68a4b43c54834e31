"""The request of `check`, and the answers to it one after the other: plain values, so that they can come from another process.

An answer has one name: `doing` (a sentence for people who wait), `report` (a certificate), `finding` (of what is asked instead of one:
`json`, `text`, `sentence`).
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pixelbench.errors import UserError, first_line

if TYPE_CHECKING:
    from pixelbench.causality.likelihood import LikelihoodReport
    from pixelbench.causality.sampler.check import SamplerReport
    from pixelbench.experiments.foreign.targets import Target

#: Seconds for starting Python, for the conclusions from a large map, and for a picture.
_WRAP_UP = 3.0

#: Exit code of a process that cannot deliver its answers.
UNDELIVERED = 117

Answer = dict[str, Any]

#: What asks for something else than a certificate, and the options that have no meaning beside it.
_INSTEAD = {
    "sampler": ["sums_to_one", "mode", "after_step", "bases", "images", "order", "allow_state"],
    "sums_to_one": ["mode", "after_step", "output", "select", "input_layout", "head", "args", "bases", "images", "order", "allow_state"],
}


@dataclass(frozen=True)
class CheckRequest:
    """A check as it was asked for; None stands for the default of the target.

    Attributes:
        target: a family, `path/file.py:name` or `package.module:name`.
        settings: `name=value`, of a family.
        shape: `C,H,W`.
        seconds: for loading, checking and concluding together.
        memory: bytes that the target's process may take.
        method: of `sums_to_one` and `sampler`: the name of the method that scores images.
        sampler: the name of the method that draws images, or `FILE:function`; instead of a certificate, what it draws is tested.
        args: `name=value`, further arguments of the call.
        bases: names of base images; none: the usual ones.
        images: a task, or a folder of images, on which inputs are changed as well.
        order: `raster`, `any` or a file.
    """

    target: str
    settings: tuple[str, ...] = ()
    shape: str | None = None
    levels: int | None = None
    input: Literal["auto", "unit", "symmetric", "int"] = "auto"
    output: str | None = None
    select: str | None = None
    mode: Literal["eval", "train", "both"] = "eval"
    seconds: float | None = None
    after_step: bool = False
    sums_to_one: bool = False
    method: str = "log_prob"
    sampler: str | None = None
    input_layout: str | None = None
    head: str | None = None
    args: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    images: str | None = None
    order: str = "raster"
    allow_state: bool = False
    seed: int = 0
    device: str = "cpu"
    memory: int | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-safe."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "CheckRequest":
        """The inverse of `to_json`."""
        return cls(**{**document, **{name: tuple(document[name]) for name in ("settings", "args", "bases")}})


def refuse_meaningless(request: CheckRequest) -> None:
    """No option is ignored in silence.

    Raises:
        UserError: one has no meaning beside another.
    """
    usual = {one.name: one.default for one in dataclasses.fields(CheckRequest)}
    for instead, others in _INSTEAD.items():
        for name in others if getattr(request, instead) else ():
            if getattr(request, name) != usual[name]:
                raise UserError(f"{_option(name)} has no meaning beside {_option(instead)}; leave one of the two out.")
    if request.method != usual["method"] and not (request.sums_to_one or request.sampler):
        raise UserError("--method names what scores images for --sums-to-one or --sampler; give one of these too.")


def _option(name: str) -> str:
    return f"--{name.removesuffix('s') if name in ('args',) else name}".replace("_", "-")


def answers(request: CheckRequest, *, spent: float = 0.0) -> Iterator[Answer]:
    """Load the target in this process and check it.

    Args:
        spent: seconds of the time asked for that are gone.

    Raises:
        UserError: it cannot be found, imported, built or checked.
    """
    began = time.monotonic() - spent
    if request.sums_to_one:
        yield from _sum_of_probabilities(request)
        return
    if request.sampler is not None:
        yield from _frequencies(request, began)
        return
    from pixelbench.causality.certificates import certificates
    from pixelbench.experiments.foreign.given import given_options

    found = _loaded(request, request.shape, request.levels)
    yield {"doing": f"Checking {found.name} on {'x'.join(map(str, found.shape))} images"}
    options = given_options(request, found.shape, found.levels)
    limits = {"mode": request.mode, "after_step": request.after_step, "seconds": _left(request.seconds, began)}
    for report in certificates(found.module, found.shape, levels=found.levels, target=found.name, **options, **limits):
        yield {"report": report.to_json()}


def _sum_of_probabilities(request: CheckRequest) -> Iterator[Answer]:
    from pixelbench.causality.likelihood import check_log_prob

    found = _tiny(request)
    yield {"doing": f"Scoring all images of {'x'.join(map(str, found.shape))}"}
    options = {"levels": found.levels, "input": request.input, "seed": request.seed, "method": request.method}
    report = check_log_prob(found.module, found.shape, target=found.name, **options)
    yield _finding(report)


def _frequencies(request: CheckRequest, began: float) -> Iterator[Answer]:
    from pixelbench.causality.sampler.check import check_sampler
    from pixelbench.experiments.foreign.given import given_options

    assert request.sampler is not None
    found = _tiny(request)
    yield {"doing": f"Drawing images of {'x'.join(map(str, found.shape))}"}
    given = given_options(request, found.shape, found.levels)
    options = {name: given[name] for name in ("input", "output", "select", "input_layout", "head", "args", "seed")}
    options |= {"method": None if request.method == CheckRequest.method else request.method, "seconds": _left(request.seconds, began)}
    yield _finding(check_sampler(found.module, found.shape, sampler=request.sampler, levels=found.levels, target=found.name, **options))


def _finding(report: "LikelihoodReport | SamplerReport") -> Answer:
    text = report.text()
    return {"finding": {"json": report.to_json(), "text": text, "sentence": text.splitlines()[0]}}


def _tiny(request: CheckRequest) -> "Target":
    """The target for images so small that all can be looked at, unless others are asked for."""
    from pixelbench.causality.likelihood import TINY_LEVELS, TINY_SHAPE

    return _loaded(request, request.shape or ",".join(map(str, TINY_SHAPE)), request.levels or TINY_LEVELS)


def _loaded(request: CheckRequest, shape: str | None, levels: int | None) -> "Target":
    """The same weights each time, so that the same command gives the same report."""
    from torch import device as torch_device

    from pixelbench.causality.module.sandbox import random_states
    from pixelbench.experiments.devices import resolve_device
    from pixelbench.experiments.foreign.parsing import parse_shape
    from pixelbench.experiments.foreign.targets import load_target

    chosen = resolve_device(request.device)
    with random_states(torch_device("cpu"), request.seed):
        found = load_target(request.target, request.settings, parse_shape(shape), levels)
    try:
        found.module.to(chosen)
    except RuntimeError as error:  # no memory there, or weights without values
        raise UserError(f"{found.name} cannot be moved to {chosen}: {first_line(error)}.") from error
    return found


def _left(seconds: float | None, began: float) -> float | None:
    """Of the time asked for, what loading torch and the module has left, less what concluding and printing will take."""
    if seconds is None or not seconds > 0:  # which the check refuses
        return seconds
    return max(seconds - (time.monotonic() - began) - min(_WRAP_UP, seconds / 10), 1e-3)
