"""The sheet of a task: samples of its stored models beside real images, and what one of them does under other conditions.

Real test images, the best model's samples and the training images nearest to them, the other models' samples; completions of half images;
several temperatures; each class. Models and temperatures draw with the same random numbers, so that what differs between them is what their
names say; the draws of a completion and the classes have their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelbench.analysis import format as words
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.data import get_task
from pixelbench.data.task import Split, Task
from pixelbench.errors import UserError
from pixelbench.evaluation.sheets import DESCRIPTION, RUNS, Section, Strip, as_shares, sheet_png
from pixelbench.experiments.stored import load_run, weights_path
from pixelbench.models.base import AutoregressiveModel
from pixelbench.store.cells import Cell, Run

TEMPERATURES = (0.7, 0.9, 1.0, 1.1)
#: Completions of the same half images.
DRAWS = 3
#: The levels of training images that are drawn at each use.
_GREYS = 256
#: For the font of pictures, which has not every sign.
_AT_MOST = "at most "
#: Training images at a time.
_CHUNK = 4096


@dataclass(frozen=True)
class Options:
    """How much a sheet shows."""

    n: int = 12
    """Images in a row."""
    seed: int = 0
    """Of everything that is drawn."""


@dataclass(frozen=True)
class Sheet:
    """A finished sheet: `samples` and `order` are those of the best model, `without` the variants of which no weights are stored."""

    png: bytes
    best: str
    samples: np.ndarray
    order: tuple[tuple[int, int, int], ...]
    without: tuple[str, ...]


@dataclass(frozen=True)
class _Model:
    """A stored model of a row of the table."""

    row: Row
    run: Run
    net: AutoregressiveModel
    classes: int

    def draw(self, options: Options, *, number: int = 0, classes: Sequence[int] | None = None, **how: Any) -> Tensor:
        """Images (n, C, H, W); `number`: another one is another draw; `classes`: in turn if left out; `how`: as `sample` of the network."""
        generator = torch.Generator().manual_seed(options.seed + number)
        labels = (classes or [i % self.classes for i in range(options.n)]) if self.classes else None
        condition = None if labels is None else torch.tensor(labels)
        n = None if "given" in how else options.n if labels is None else len(labels)
        return self.net.sample(n, condition=condition, generator=generator, **how)

    @property
    def name(self) -> str:
        """`gated-pixelcnn, 2.134 bits/dim`, of binary images in nats; of one that is not causal, that it is not."""
        if self.row.category == "leaking":
            return f"{self.row.label} (not causal)"
        score = (
            f"{words.nats(self.row)} nats"
            if self.net.levels == 2
            else f"{words.measured(self.row.bits_per_dim, self.row.estimator)} bits/dim"
        )
        return f"{self.row.label}, {score.replace(words.AT_MOST, _AT_MOST)}"


def has_weights(cell: Cell) -> bool:
    """Whether there is a finished run of it to draw from."""
    return _drawable(cell) is not None


def draw_sheet(table: TaskTable, cells: Sequence[Cell], options: Options, say: Callable[[str], None]) -> Sheet:
    """Draw a task's sheet.

    Args:
        table: its variants, best first.
        cells: those of the same labels.
        options: how much.
        say: told what is drawn before each part, since some take minutes.

    Raises:
        UserError: no variant has weights, or these or the task's images cannot be read.
    """
    by_label = {cell.label: cell for cell in cells}
    models = [_model(row, run) for row in table.rows if (run := _drawable(by_label[row.label]))]
    if not models:
        raise UserError(f"No weights of a model on {table.task} are stored, so there is nothing to draw; run one with `pixelbench run`.")
    best = min(models, key=lambda model: _PLACE.get(model.row.category, len(_PLACE)))  # of equal ones the first
    others = [model for model in models if model is not best]
    task = get_task(best.run.task).with_split(best.run.record.spec.split)
    data = task.load()
    for row in table.rows:
        if any(map(_only_scores, by_label[row.label].runs)):
            say(f"{table.task}: {row.label} gives likelihoods of whole images alone, so it is not on the sheet.")
    say(f"{table.task}: samples of {', '.join(model.row.label for model in (best, *others))}")
    samples = best.draw(options).numpy()
    real = data.test[np.random.default_rng(options.seed).permutation(len(data.test))[: options.n]]
    sections = [_beside_real(task, data.train, real, best, samples, others, options)]
    say(f"{table.task}: completions and temperatures of {best.row.label}")
    sections += [_completions(task, real, best, options), _temperatures(task, best, options)]
    conditional = next((model for model in models if model.classes), None)
    if conditional:
        say(f"{table.task}: each class by {conditional.row.label}")
        sections.append(_each_class(task, conditional, options))
    without = tuple(row.label for row in table.rows if _is_trained(by_label[row.label]) and not has_weights(by_label[row.label]))
    texts = {DESCRIPTION: _description(task, best, others, without, conditional), RUNS: " ".join(model.run.key for model in models)}
    return Sheet(sheet_png(sections, texts), best.row.label, samples, tuple(best.net.order()), without)


#: Of whom the further sections are: the first of these that there is.
_PLACE = {"ranked": 0, "told": 1, "bound": 2}


def _drawable(cell: Cell) -> Run | None:
    """The lowest seed that is believed and has weights."""
    kept = (run for run in cell.runs if run.done and not run.doubts and not _only_scores(run) and weights_path(run.folder).is_file())
    return next(kept, None)


def _only_scores(run: Run) -> bool:
    """Whether it is a module of somebody's without conditionals, which nothing here draws from."""
    module = run.record.variant.settings.get("module")
    return isinstance(module, dict) and module.get("head") == "log_prob"


def _is_trained(cell: Cell) -> bool:
    return any(run.record.trained and not _only_scores(run) for run in cell.scored)


def _model(row: Row, run: Run) -> _Model:
    return _Model(row, run, load_run(run.stored), run.record.variant.classes)


def _beside_real(
    task: Task, train: Split, real: Split, best: _Model, samples: np.ndarray, others: Sequence[_Model], options: Options
) -> Section:
    near, distances = nearest(as_shares(samples, task.levels), train.images, _GREYS if task.redrawn else task.levels)
    rows = [
        Strip("real test images", as_shares(real.images, task.levels)),
        Strip(f"best with weights: {best.name}", as_shares(samples, task.levels)),
        Strip(f"training images nearest to these (mean distance {distances.mean():.2f})", near),
        *(Strip(model.name, as_shares(model.draw(options).numpy(), task.levels)) for model in others),
    ]
    return Section("Samples beside real images", tuple(rows))


def nearest(shares: np.ndarray, training: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """The training images nearest to images by Euclidean distance over pixels of 0 … 1.

    Args:
        shares: (N, C, H, W) of 0 … 1.
        training: integers (M, C, H, W) of 0 … levels-1.

    Returns:
        These as shares (N, C, H, W), and their distances (N,).
    """
    wanted = shares.reshape(len(shares), -1).astype(np.float64)
    best, where = np.full(len(shares), np.inf), np.zeros(len(shares), np.int64)
    for first in range(0, len(training), _CHUNK):
        part = as_shares(training[first : first + _CHUNK], levels).reshape(-1, wanted.shape[1]).astype(np.float64)
        squares = (wanted**2).sum(1)[:, None] - 2 * wanted @ part.T + (part**2).sum(1)
        closest = squares.argmin(1)
        found = squares[np.arange(len(wanted)), closest]
        best, where = np.where(found < best, found, best), np.where(found < best, first + closest, where)
    return as_shares(training[where], levels), np.sqrt(best.clip(0))


def _completions(task: Task, real: Split, best: _Model, options: Options) -> Section:
    """The upper half of test images is held, the lower drawn several times; a model with classes is told that of each image."""
    given = torch.from_numpy(real.images)
    known = torch.zeros_like(given, dtype=torch.bool)
    known[:, :, : task.height // 2] = True
    classes = real.labels.tolist() if best.classes and real.labels is not None else None
    draws = [best.draw(options, number=i, classes=classes, given=given, known=known).numpy() for i in range(DRAWS)]
    shares = as_shares(real.images, task.levels)
    strips = [Strip("real test images", shares), Strip("what is held", np.where(known.numpy(), shares, np.nan))]
    by = "approximate draw" if best.net.completion == "approximate" else "draw"
    strips += [Strip(f"{by} {i}", as_shares(images, task.levels)) for i, images in enumerate(draws, start=1)]
    return Section(f"Lower halves drawn by {best.row.label}", tuple(strips))


def _temperatures(task: Task, best: _Model, options: Options) -> Section:
    strips = [
        Strip(f"temperature {value:g}", as_shares(best.draw(options, temperature=value).numpy(), task.levels)) for value in TEMPERATURES
    ]
    return Section(f"Temperatures of {best.row.label}; 1 is the model itself", tuple(strips))


def _each_class(task: Task, model: _Model, options: Options) -> Section:
    classes = [c for c in range(model.classes) for _ in range(options.n)]
    images = as_shares(model.draw(options, classes=classes).numpy(), task.levels)
    strips = tuple(Strip(f"class {c}", part) for c, part in enumerate(np.split(images, model.classes)))
    return Section(f"Each class by {model.row.label}", strips)


def _description(task: Task, best: _Model, others: Sequence[_Model], without: Sequence[str], conditional: _Model | None) -> str:
    """What the sheet shows in words, for those who cannot see it."""
    shown = f" and of {', '.join(model.row.label for model in others)}" if others else ""
    lacking = f" No weights are stored of {', '.join(without)}, so they are not shown." if without else ""
    classes = f", samples of each class by {conditional.row.label}" if conditional else ""
    return (
        f"{task.title}: real test images, samples of {best.row.label} with the training images nearest to them{shown}; "
        f"lower halves of test images drawn {DRAWS} times and temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)} of "
        f"{best.row.label}{classes}.{lacking}"
    )
