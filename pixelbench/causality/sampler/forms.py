"""How a sampling function is called: nearly every one has other arguments, which their names tell."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from pixelbench.errors import UserError, first_line

COUNT = {"n", "num", "number", "count", "k", "b", "bs", "nb", "samples"}
COUNT |= {f"{how}_{what}" for how in ("n", "num", "number_of") for what in ("samples", "images", "imgs", "sample", "examples")}
COUNT |= {"batch", "batch_size", "batchsize", "nsamples", "num_sample", "sample_size", "n_batch", "how_many", "size_of_batch"}
SHAPE = {"shape", "size", "dims", "input_shape", "output_shape"}
SHAPE |= {f"{what}_{size}" for what in ("image", "img", "data", "sample", "input") for size in ("shape", "size", "dims", "dim")}
CANVAS = {"x", "x0", "img", "image", "images", "canvas", "template", "init", "initial", "start", "batch_of_images", "inputs", "input"}
SIDES = {"channels": 0, "c": 0, "num_channels": 0, "n_channels": 0, "nc": 0, "height": 1, "h": 1, "width": 2, "w": 2}
TEMPERATURE = {"temperature", "temp", "tau"}

#: Number of images → what the function returns.
Form = Callable[[int], Any]


def forms(
    function: Callable, name: str, shape: tuple[int, int, int], device: torch.device, args: Mapping[str, float | Tensor], seed: int
) -> Iterator[Form]:
    """The ways of calling it that its arguments allow, the likeliest first.

    The number of images is given where an argument of such a name is there, required or not, and a temperature of 1; the shape, sides, an
    empty canvas, a device, a generator where they are required. A single required argument of an unknown name is the number. `args` are
    numbers, the same for every image, or tensors (n, …).

    Raises:
        UserError: it requires something else.
    """
    parameters = _parameters(function)
    if parameters is None:  # a builtin that tells nothing of its arguments
        yield lambda n: function(n)
        return
    required = [one.name for one in parameters if one.default is one.empty]
    known = {one.name: _role(one.name, args) for one in parameters}
    unknown = [name for name in required if not known[name]]
    if len(unknown) == 1 and "count" not in known.values():
        known[unknown.pop()] = "count"
    if unknown:
        raise UserError(
            f"{name} requires {' and '.join(unknown)}, which nothing is known of; give it with --arg {unknown[0]}=NUMBER, or a "
            "function of the module and the number of images: --sampler FILE:function."
        )
    given = {one.name: known[one.name] for one in parameters if one.name in required or known[one.name] in ("count", "temperature", "arg")}
    positional = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY]
    for variant in range(_variants(given)):
        yield _form(function, given, positional, shape, device, args, seed, variant)


def _form(
    function: Callable,
    given: dict[str, str],
    positional: list[str],
    shape: tuple[int, int, int],
    device: torch.device,
    args: Mapping[str, float | Tensor],
    seed: int,
    variant: int,
) -> Form:
    counted = "count" in given.values()
    generator = torch.Generator(device).manual_seed(seed)

    def form(n: int) -> Any:
        values: dict[str, Any] = {}
        for name, role in given.items():
            if role == "arg":
                values[name] = _for_each(args[name], n, device)
            elif role == "shape":
                values[name] = _shapes(n, shape, counted=counted)[variant % 4]
            elif role == "canvas":
                values[name] = torch.zeros((n, *shape), dtype=torch.float64 if variant < 4 else torch.int64, device=device)
            elif role == "side":
                values[name] = shape[SIDES[name.lower()]]
            else:
                values[name] = {"count": n, "device": device, "generator": generator, "temperature": 1.0}[role]
        return function(*[values.pop(name) for name in positional if name in values], **values)

    return form


def _for_each(value: float | Tensor, n: int, device: torch.device) -> Tensor:
    """(n, …), of an argument that was given."""
    if isinstance(value, Tensor):
        return value[:n]
    return torch.full((n,), value, device=device).to(torch.int64 if float(value).is_integer() else torch.float64)


def _shapes(n: int, shape: tuple[int, int, int], *, counted: bool) -> list[Any]:
    """The meanings that an argument called shape or size can have."""
    whole, single = (n, *shape), tuple(shape)
    return [single, whole, shape[1:], shape[1]] if counted else [whole, single, shape[1:], shape[1]]


def _variants(given: dict[str, str]) -> int:
    return 8 if "canvas" in given.values() else 4 if "shape" in given.values() else 1


def _role(name: str, args: Mapping[str, float | Tensor]) -> str:
    if name in args:
        return "arg"
    plain = name.lower()
    for role, names in (("count", COUNT), ("shape", SHAPE), ("canvas", CANVAS), ("side", SIDES), ("temperature", TEMPERATURE)):
        if plain in names:
            return role
    return {"device": "device", "generator": "generator", "rng": "generator"}.get(plain, "")


def _parameters(function: Callable) -> list[inspect.Parameter] | None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def first_that_runs(found: Iterator[Form], n: int, fits: Callable[[Any], Tensor | None], name: str) -> Form:
    """The first form of which `fits` finds images in what it returns.

    Raises:
        UserError: none; the sentence says what the first one did.
    """
    fault: UserError | None = None
    for form in found:
        try:
            returned = form(n)
        except UserError:
            raise
        except (Exception, SystemExit) as error:  # whatever a foreign module throws: the arguments may be meant otherwise
            fault = fault or UserError(f"{name} failed: {first_line(error)}.")
            fault.__cause__ = fault.__cause__ or error
            continue
        if fits(returned) is not None:
            return form
        what = f"{tuple(returned.shape)}" if isinstance(returned, Tensor) else f"a {type(returned).__name__}"
        fault = fault or UserError(f"{name} gives {what}, which is not {n} images of the shape.")
    assert fault is not None
    raise fault
