"""A miniature of a run: its settings, recipe and evaluation at a tiny shape and width, tiny images, and shelter from the process around it.

Nothing here may follow a change elsewhere: another choice of width, shape or image would change every stored fingerprint without any
number of a run having changed. Whoever must change something raises `VERSION`; fingerprints of two versions are not compared.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pixelbench.data import Split, TaskData, get_task
from pixelbench.errors import UserError
from pixelbench.models import scoring
from pixelbench.models.families import get_family
from pixelbench.store.spec import RunSpec
from pixelbench.training.redraw import GREYS

VERSION = 1
#: Not the run's, so that all seeds of a cell have one fingerprint.
SEED = 0
#: Updates of the miniature training: a validation after every second one, warm-up and schedule pressed into so few.
UPDATES = 12
#: Warm-ups, of the learning rate and of the KL weight, where the run has one.
_WARMUP, _KL_WARMUP = 3, 5
#: Of the miniature's 2.5 updates each.
_KL_WARMUP_EPOCHS = 2.0
#: Below every gradient's norm here (0.06 and more), so that clipping acts in each update; late updates have the run's own.
_CLIP = 0.05
#: Where each number is clipped: below the largest of every gradient here.
_CLIP_VALUE = 1e-3
#: Images of the three splits; what is scored by twos has a last batch of one.
_TRAIN, _VALIDATION, _TEST, _BATCH, _DRAWN = 10, 3, 5, 4, 2
#: With several scales: what starts from the first batch has two pixels an image at the coarsest, and too few of them blow rounding up.
_BATCH_OF_SCALES = 8
#: More than one weight an image, so that averaging them wrongly shows.
_IMPORTANCE_SAMPLES = 3
#: The test images' clusters: standard errors are taken over those.
_CLUSTERS = (0, 0, 1, 2, 2, 3)
#: Every kind of layer stays: two of each are enough to see one behind the other.
_MOST = {"layers": 2, "blocks": 2, "scales": 3, "components": 3}
_MOST |= {"key_maps": 3, "value_maps": 5, "latent": 3, "latent_maps": 2, "encoder_maps": 4, "condition_maps": 3}
_MOST |= {"hidden": 9, "masks": 3}
#: Several resolutions need an image so large that more levels would take seconds to draw; the others keep all they have.
_LEVELS = 16
#: Training images of a task that has no pinned number of them (a folder of images), or is not known here.
_SOME_IMAGES = 1000


def miniature(spec: RunSpec) -> RunSpec:
    """The run as a training of seconds: the same choices, smaller numbers."""
    channels, height, width = _shape(spec)
    settings = narrow(spec)
    slow = settings.get("hierarchy") == 2 or settings.get("scales", 1) > 1
    levels = get_family(spec.family).fewer_levels(spec.task["levels"], _LEVELS if slow else 256)
    task = {**spec.task, "channels": channels, "height": height, "width": width, "levels": levels}
    if settings.get("kl_warmup"):
        settings["kl_warmup"] = _KL_WARMUP
    if settings.get("kl_warmup_epochs"):
        settings["kl_warmup_epochs"] = _KL_WARMUP_EPOCHS
    limits = {"test_images": _TEST, "validation_images": _VALIDATION}
    evaluation = {name: None if spec.evaluation[name] is None else most for name, most in limits.items()}
    evaluation |= {name: min(spec.evaluation[name], _DRAWN) for name in ("samples", "sequential_images")}
    evaluation["importance_samples"] = min(spec.evaluation["importance_samples"], _IMPORTANCE_SAMPLES)
    trained = bool(spec.recipe)
    return replace(
        spec,
        task=task,
        settings=settings,
        recipe=_pressed(spec) if trained else {},
        updates=UPDATES if trained else 0,
        evaluation=evaluation,
        seed=SEED,
    )


def with_own_schedules(spec: RunSpec, small: RunSpec) -> RunSpec:
    """The miniature with the schedules, clip and number of updates that the run itself has."""
    settings = small.settings | {name: spec.settings[name] for name in ("kl_warmup", "kl_warmup_epochs") if name in spec.settings}
    return replace(small, settings=settings, recipe={**spec.recipe, "batch": small.recipe["batch"]}, updates=spec.updates)


def narrow(spec: RunSpec) -> dict[str, Any]:
    """The run's settings with few maps and layers; of a family from another package, what that says of a narrow copy."""
    channels, settings, family = spec.task["channels"], dict(spec.settings), get_family(spec.family)
    if not family.is_own:
        return settings | family.narrowed(settings, channels, *_small(spec), spec.task["levels"])
    most = _MOST | {"maps": 4 + channels, "head_maps": 6 + channels}  # no multiple of three: colours of different widths
    if "dilations" in settings:
        most["layers"] = max(2, len(settings["dilations"]))  # they are taken in turn
    if settings.get("scales", 1) > 1:
        most |= {"layers": 1, "maps": 16}  # layers of each scale, one more on the way up; for the maps see `_BATCH_OF_SCALES`
    for name, few in most.items():
        if name in settings:
            settings[name] = min(settings[name], few)
    return settings


def tiny_images(small: RunSpec) -> TaskData:
    """The three splits of a miniature, the same on every machine; more images than are scored where the evaluation has a limit."""
    classes = small.settings.get("classes") or None
    wanted = {"train": _TRAIN, "validation": _VALIDATION, "test": _TEST}
    for name in ("validation", "test"):
        wanted[name] += small.evaluation[f"{name}_images"] is not None
    if small.split == "all-training":
        wanted["validation"] = 0
    levels = {"train": GREYS + 1 if is_redrawn(small) else small.task["levels"]}
    splits = {}
    for first, (name, count) in enumerate(wanted.items()):
        images = _hashed((count, *_shape(small)), 1_000_000 * (first + 1)) % levels.get(name, small.task["levels"])
        labels = None if classes is None else _hashed((count,), 100 * (first + 1)).astype(np.int64) % classes
        clusters = np.array(_CLUSTERS[:count] if name == "test" else range(count), np.int64)
        splits[name] = Split(images.astype(np.uint8), clusters, labels)
    return TaskData(**splits)


def training_images(spec: RunSpec) -> int:
    """How many images the run is trained on: the pinned number, so that it does not depend on what lies on this machine."""
    with contextlib.suppress(UserError, ValueError):
        task = get_task(spec.task["name"]).with_split(spec.split)
        if task.sizes is not None and not task.mapped:
            return task.sizes[0]
    return _SOME_IMAGES


def is_redrawn(spec: RunSpec) -> bool:
    """Whether the task's training images are grey values, drawn again in every update."""
    with contextlib.suppress(UserError):
        return get_task(spec.task["name"]).redrawn
    return False


@contextlib.contextmanager
def sheltered() -> Iterator[None]:
    """Own random state, precision, threads and gradient mode; afterwards all is as before."""
    threads, dtype, one_dnn = torch.get_num_threads(), torch.get_default_dtype(), torch.backends.mkldnn.enabled
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        try:
            torch.set_num_threads(1)  # sums in one order, and no waiting for threads that have nothing to do
            torch.set_default_dtype(torch.float32)
            torch.backends.mkldnn.enabled = False  # its bfloat16 is another one on each kind of processor, by up to 1 %
            yield
        finally:
            torch.backends.mkldnn.enabled = one_dnn
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)


@contextlib.contextmanager
def double() -> Iterator[None]:
    """Networks are made in float64: random float32 weights may differ in their last digit from one kind of processor to another."""
    try:
        torch.set_default_dtype(torch.float64)
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def batches_of_two() -> Iterator[None]:
    """Score by twos, wherever `largest_batch` was imported to: batches that memory limits would take far more than five images."""
    original = scoring.largest_batch
    holders = [m for name, m in list(sys.modules.items()) if name.startswith("pixelbench.") and vars(m).get("largest_batch") is original]
    try:
        for module in holders:
            module.largest_batch = lambda model: 2  # type: ignore[attr-defined]
        yield
    finally:
        for module in holders:
            module.largest_batch = original  # type: ignore[attr-defined]


def _shape(spec: RunSpec) -> tuple[int, int, int]:
    """(C, H, W) as small as the settings allow, height and width unequal."""
    channels, settings = spec.task["channels"], narrow(spec)
    height, width = (6, 5) if channels == 1 else (5, 4)
    if "hierarchy" in settings:
        height, width = (9, 10) if settings["hierarchy"] == 1 else (13, 14)
    elif settings.get("scales", 1) > 1:
        height, width = 8, 4  # with four times less, two rows are left: of one, the maps from above would be constant
    family = get_family(spec.family)
    if not family.is_own or family.incompatibility(family.parse(settings), channels, height, width, spec.task["levels"]):
        height, width = _small(spec)
    return channels, height, width


def _small(spec: RunSpec) -> tuple[int, int]:
    return get_family(spec.family).small_for(spec.settings, spec.task["height"], spec.task["width"])


def _pressed(spec: RunSpec) -> dict[str, Any]:
    """The recipe with a small batch, its warm-up and decay pressed into so few updates, and a clip that binds."""
    recipe, scales = spec.recipe, spec.settings.get("scales", 1)
    later = {"clip_value": min(recipe["clip_value"], _CLIP_VALUE)} if "clip_value" in recipe else {}
    return {
        **recipe,
        **later,
        "batch": min(recipe["batch"], _BATCH_OF_SCALES if scales > 1 else _BATCH),
        "warmup": _WARMUP if recipe["warmup"] else 0,
        "decay": recipe["decay"] ** (spec.updates / UPDATES),
        "clip": min(recipe["clip"], _CLIP),
    }


def _hashed(shape: tuple[int, ...], first: int) -> np.ndarray:
    """uint64 numbers without visible order, by a formula that no library can change."""
    index = np.arange(first, first + int(np.prod(shape)), dtype=np.uint64)
    mixed = (index * (index + np.uint64(7919)) * np.uint64(2654435761)) >> np.uint64(20)
    return (mixed % np.uint64(65_521)).reshape(shape)
