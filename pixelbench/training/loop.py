"""The training loop: a generator of progress that can be stopped, checkpointed and resumed bit for bit."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from pixelbench import pulse
from pixelbench.errors import UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.heads import without_autocast
from pixelbench.models.scoring import batched_nats
from pixelbench.training import checkpoint
from pixelbench.training.accumulation import drawn_for_the_whole, micro_batches, whole_batch_of
from pixelbench.training.compiling import Loss, check_compiled, compiled_loss
from pixelbench.training.ema import ExponentialMovingAverage
from pixelbench.training.optimisers import learning_rate, load_state, make_optimiser
from pixelbench.training.recipe import Recipe
from pixelbench.training.redraw import redraw
from pixelbench.training.seeding import BatchOrder, generator, seed_everything
from pixelbench.training.stored_state import check_header, check_state
from pixelbench.training.world import ALONE, World
from pixelbench.units import bits_per_dim, nats_to_bits

TrainingStatus = Literal["running", "done", "diverged", "timeout", "interrupted"]

CURVE_POINTS, VALIDATION_POINTS = 50, 5
#: At least so many points on the validation images, where they select the weights.
SELECTION_POINTS = 20
CHECKPOINT_SECONDS = 10.0
#: A checkpoint may cost at most this share of the time, so that large models are not stored all the time.
CHECKPOINT_SHARE = 0.05

#: What a process wants all to do after an update; the largest counts.
_WISHES: tuple[Literal["save", "timeout", "interrupted"] | None, ...] = (None, "save", "timeout", "interrupted")


@dataclass(frozen=True)
class CurvePoint:
    """Bits/dim after `update` updates: mean over the training batches since the point before, and on the validation images."""

    update: int
    train_bits_per_dim: float
    validation_bits_per_dim: float | None


@dataclass(frozen=True)
class TrainingPlan:
    """The request of a training beyond the recipe."""

    updates: int
    seed: int
    max_seconds: float | None = None
    """A cap that ends it with status `timeout`."""
    micro_batch: int | None = None
    """At most so many images of a batch at once, see `pixelbench.training.accumulation`; None takes them all."""


class Trainer:
    """Trains `model` in place.

    Args:
        model: on the device where it is to be trained.
        train, validation: integer images (N, C, H, W), moved to that device once and kept there; of validation there may be none.
        redrawn: `train` holds grey values out of 255; every update draws its own pixels of 0 and 1 from them.
        conditions: what training and validation images are conditioned on, (N, …) each, for a model that needs it.
        recipe: with its precision resolved.
        plan: updates, seed, cap.
        identity: names the run and the code, and is kept in its checkpoints.
        accepts: whether a checkpoint of that identity may be gone on from; by default only one of the same.
        save: takes a checkpoint's bytes and stores them; called about every ten seconds, when `pulse` asks for it, and at the end, then
            with `status` no longer `running`.
        made_by: names machine and code as a JSON object, for checkpoints to keep.
        stop: asked between updates; True ends with status `interrupted`.
        world: the processes that train it together, of which each is given all of the above; without it this one alone does.

    Attributes:
        status: `running` until the generator of `run` is exhausted.
        curve: all points so far, also those from before a resume.
        seconds: time spent in training, over all attempts.

    Raises:
        UserError: the recipe selects by validation, and there are no validation images; a micro-batch does not divide the batch; a batch
            that something depends on as a whole is cut.
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        train: Tensor,
        validation: Tensor,
        recipe: Recipe,
        plan: TrainingPlan,
        *,
        redrawn: bool = False,
        conditions: tuple[Tensor, Tensor] | None = None,
        identity: str = "",
        accepts: Callable[[str], bool] | None = None,
        save: Callable[[bytes], None] = lambda blob: None,
        made_by: Callable[[], dict[str, Any]] = dict,
        stop: Callable[[], bool] = lambda: False,
        world: World = ALONE,
    ):
        counts = {"validation_images": len(validation), "micro_batch": plan.micro_batch, "world_size": world.size}
        if incompatibility := recipe.incompatibility(**counts, whole_batch=whole_batch_of(model)):
            raise UserError(f"{incompatibility}.")
        self.world = world
        self.model, self.recipe, self.plan, self.redrawn = model, recipe, plan, redrawn
        self.parts = micro_batches(recipe.batch, plan.micro_batch, world.rows(recipe.batch))
        for weight in model.parameters():  # channels last: 1.2 times as fast
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.identity, self.save, self.stop, self.made_by = identity, save, stop, made_by
        self.accepts = accepts or identity.__eq__
        self.train, self.validation = train.to(model.device), validation.to(model.device)
        self.conditions = None if conditions is None else tuple(condition.to(model.device) for condition in conditions)
        self.order = BatchOrder(len(train), recipe.batch, plan.seed)
        model.begin_training(len(train) / recipe.batch)
        model.prepare(*self._batch(0))
        self.optimiser = make_optimiser(model, recipe)
        self.ema = ExponentialMovingAverage(model, recipe.ema) if recipe.ema else None
        self.best = copy.deepcopy(self.averaged).requires_grad_(False) if recipe.select == "best-validation" else None
        self.status: TrainingStatus = "running"
        self.update, self.seconds = 0, 0.0
        self.curve: list[CurvePoint] = []
        self._stretches: list[dict[str, Any]] = []
        self._loss_of: Loss = model.loss
        self._loss = torch.zeros((), dtype=torch.float64, device=model.device)
        self._losses = 0
        seed_everything(plan.seed, "training")

    @property
    def averaged(self) -> AutoregressiveModel:
        """The model that is validated on the way: the average if the recipe has one, else the model itself, as they are now."""
        return self.ema.average if self.ema else self.model

    @property
    def evaluated(self) -> AutoregressiveModel:
        """The model whose likelihood is reported: that of `selected_update`, or without one the last."""
        return self.averaged if self.best is None or self.selected_update is None else self.best

    @property
    def selected_update(self) -> int | None:
        """After how many updates the validation score was best so far, at first; None where the recipe takes the last weights."""
        scores = {} if self.best is None else {point.update: point.validation_bits_per_dim for point in self.curve}
        finite = {update: score for update, score in scores.items() if score is not None and math.isfinite(score)}
        return min(finite, key=finite.__getitem__, default=None)

    def run(self) -> Iterator[CurvePoint]:
        """Train until the updates are done, `stop`, the cap or divergence; yields the curve as it grows and sets `status`.

        Raises:
            PeerFailed, PeerLost: another process cannot go on, or is no more.
        """
        with self.world.together():
            self._take_over()
            yield from self._run()

    def _run(self) -> Iterator[CurvePoint]:
        began, before = time.monotonic(), self.seconds
        saved, pause = began, CHECKPOINT_SECONDS
        every = max(1, self.plan.updates // CURVE_POINTS)
        while self.status == "running" and self.update < self.plan.updates:
            self.seconds = before + time.monotonic() - began
            ended, checkpoint_wanted = self._agreed(time.monotonic() - began)
            if ended:
                self.status = ended
                break
            self._step()
            pulse.beat()
            if self.update % every == 0 or self.update == self.plan.updates:
                yield self._point()
                if self._diverged():
                    self.status = "diverged"
            checkpoint_wanted |= self.world.leads and pulse.checkpoint_wanted()
            if self.status == "running" and (checkpoint_wanted or time.monotonic() - saved > pause):
                written = time.monotonic()
                self._save()
                saved = time.monotonic()
                pause = max(CHECKPOINT_SECONDS, (saved - written) / CHECKPOINT_SHARE)
        self.seconds = before + time.monotonic() - began
        self.status = "done" if self.status == "running" else self.status
        if self.status != "diverged":
            self._save()
        self.world.agree(0)  # so that nobody has left when the last checkpoint cannot be written

    def _save(self) -> None:
        """Process 0 alone does: the states of all are equal."""
        if self.world.leads:
            self.save(self.state())

    def _take_over(self) -> None:
        """Begin where process 0 does, whatever this one has initialised or restored."""
        if self.world.size > 1:
            blob = self.world.handed_out(self.state() if self.world.leads else b"")
            if not self.world.leads:
                self.restore(blob)

    def compile(self) -> None:
        """Take the loss through `torch.compile` from here on, see `pixelbench.training.compiling`: the same numbers to rounding.

        Raises:
            ValueError: the batch is taken in micro-batches.
            MiscompiledError: what was compiled is another function, and the training is left as it is.
        """
        if len(self.parts) > 1:
            raise ValueError("what is trained in micro-batches cannot be compiled")
        loss = compiled_loss(self.model)
        check_compiled(self.model, loss, self.first_batch(), self.update, autocast=self.recipe.precision == "bf16")
        self._loss_of = loss

    def first_batch(self) -> tuple[Tensor, ...]:
        """The images of the first update, and what they are conditioned on where there is something."""
        return self._batch(0)

    def step(self) -> None:
        """One update and nothing else, for whoever measures how long it takes."""
        self._step()

    @property
    def earlier(self) -> list[dict[str, Any]]:
        """Attempts before by another machine or other code, in turn: what `made_by` said, and the update `until` which it trained."""
        before, present = self._stretches, self.made_by()
        return before[:-1] if any(each == {"until": each["until"]} | present for each in before[-1:]) else before

    def state(self) -> bytes:
        """Everything that decides the rest of the training, as bytes."""
        tensors = self._tensors() | checkpoint.optimiser_tensors(self.optimiser)
        if self.model.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.model.device)
        header = {"identity": self.identity, "update": self.update, "losses": self._losses, "seconds": self.seconds}
        header["curve"] = [asdict(point) for point in self.curve]
        earlier = self.earlier
        trained = self.update > (earlier[-1]["until"] if earlier else 0)
        header["stretches"] = [*earlier, {"until": self.update} | self.made_by()] if trained else earlier
        return checkpoint.pack(tensors, header)

    def restore(self, blob: bytes) -> None:
        """Go on from `state()`.

        Raises:
            CheckpointError: the blob is damaged, or of another run or code; nothing has been restored then.
        """
        tensors, header = checkpoint.unpack(blob)
        if not self.accepts(header.get("identity", "")):
            raise checkpoint.CheckpointError("the checkpoint is of another run, or of another version of the code")
        check_header(header, self.plan.updates)
        mine = {name for name in tensors if name.startswith("optimiser.")}
        optimiser = checkpoint.optimiser_state(self.optimiser, {name: tensors[name] for name in mine})
        check_state({name: t for name, t in tensors.items() if name not in mine}, self._tensors(), self.model.device)
        checkpoint.restore_module("model", self.model, tensors)
        if self.ema:
            checkpoint.restore_module("ema", self.ema.average, tensors)
        if self.best is not None:  # of which point they are, the curve tells
            checkpoint.restore_module("best", self.best, tensors)
        load_state(self.optimiser, optimiser)
        self._loss.copy_(tensors["loss"])
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and self.model.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self.model.device)
        self.update, self._losses, self.seconds = header["update"], header["losses"], header["seconds"]
        self.curve = [CurvePoint(**point) for point in header["curve"]]
        self._stretches = header.get("stretches", [{"until": self.update}] if self.update else [])

    def _tensors(self) -> dict[str, Tensor]:
        """The state that is kept of every training, but for the optimiser's state, which is empty at first."""
        averaged = checkpoint.module_tensors("ema", self.ema.average) if self.ema else {}
        best = {} if self.best is None else checkpoint.module_tensors("best", self.best)
        own = checkpoint.module_tensors("model", self.model)
        return own | averaged | best | {"loss": self._loss, "random.cpu": torch.get_rng_state()}

    def _step(self) -> None:
        """One update; nothing here waits for the device."""
        self.model.train()
        rate = learning_rate(self.recipe, self.update, self.plan.updates)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.model.begin_update(self.update)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._gradients(self._batch(self.update))
        if self.recipe.clip_value:
            torch.nn.utils.clip_grad_value_(self.model.parameters(), self.recipe.clip_value)
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        if self.ema:
            self.ema.update(self.model, self.update)
        self._loss += loss
        self._losses += 1
        self.update += 1

    def _gradients(self, batch: tuple[Tensor, ...]) -> Tensor:
        """The gradients of a batch's mean loss, and that loss; of parts of it, the sum of each one's by its share of the images."""
        if len(self.parts) == self.world.size == 1:
            loss = self._forward(batch)
            loss.backward()
            return loss.detach()
        shares = []
        for rows in self.parts:
            with drawn_for_the_whole(self.recipe.batch, rows, self.model.device, last=rows is self.parts[-1]):
                loss = self._forward(tuple(each[rows] for each in batch))
            shares.append(loss * ((rows.stop - rows.start) / self.recipe.batch))
            shares[-1].backward()
            shares[-1] = shares[-1].detach()
        loss = torch.stack(shares).sum()
        self.world.add_up([*(weight.grad for weight in self.model.parameters() if weight.grad is not None), loss])
        return loss

    def _forward(self, batch: tuple[Tensor, ...]) -> Tensor:
        kind = self.model.device.type
        with torch.autocast(kind, torch.bfloat16) if self.recipe.precision == "bf16" else without_autocast(kind):
            return self._loss_of(*batch)

    def _batch(self, update: int) -> tuple[Tensor, ...]:
        """The images of an update, and what they are conditioned on where there is something."""
        chosen = self.order.indices(update).to(self.train.device, non_blocking=True)
        images = self.train[chosen]
        if self.redrawn:  # by the update's own numbers, so that a resumed run draws the same
            images = redraw(images, generator(self.plan.seed, f"pixels of update {update}", images.device))
        return (images,) if self.conditions is None else (images, self.conditions[0][chosen])

    def _validate(self) -> float | None:
        """Bits/dim on the validation images, where there are any; of bounds, by equal draws at every point, none the training's."""
        if not len(self.validation):
            return None
        draws: dict[str, Any] = {}
        if self.model.latent:
            draws = {"generator": generator(self.plan.seed, "validation", self.model.device), "importance_samples": 1}
        condition = None if self.conditions is None else self.conditions[1]
        nats = batched_nats(self.averaged, self.validation, condition, turn=(self.world.rank, self.world.size), **draws)
        self.world.add_up([nats])
        return bits_per_dim(float(nats.mean()), self.model.shape)

    def _point(self) -> CurvePoint:
        validate = self._validates() or self.update == self.plan.updates
        point = CurvePoint(self.update, nats_to_bits(float(self._loss) / self._losses), self._validate() if validate else None)
        self._loss.zero_()
        self._losses = 0
        self.curve.append(point)
        if self.best is not None and self.selected_update == self.update:
            self.best.load_state_dict(self.averaged.state_dict())
        return point

    def _validates(self) -> bool:
        """Whether this point of the curve has a validation score; where that selects, every n-th has, with n as large as may be."""
        if self.best is None:
            return self.update % max(1, self.plan.updates // VALIDATION_POINTS) == 0
        every = max(1, self.plan.updates // CURVE_POINTS)
        return self.update % (every * max(1, self.plan.updates // every // SELECTION_POINTS)) == 0

    def _diverged(self) -> bool:
        """Not a number, or after the first tenth still far worse than knowing nothing."""
        point = self.curve[-1]
        values = [point.train_bits_per_dim, *([] if point.validation_bits_per_dim is None else [point.validation_bits_per_dim])]
        settled = self.update > self.recipe.warmup + self.plan.updates // 10
        return not all(map(math.isfinite, values)) or (settled and values[0] > 2 * math.log2(self.model.levels))

    def _agreed(self, elapsed: float) -> tuple[TrainingStatus | None, bool]:
        """How the training ends before its time, if it does; and whether another process is asked for a checkpoint."""
        mine = self._ended_early(elapsed) or ("save" if not self.world.leads and pulse.checkpoint_wanted() else None)
        wish = _WISHES[self.world.agree(_WISHES.index(mine))]
        return (None, wish == "save") if wish in (None, "save") else (wish, False)

    def _ended_early(self, elapsed: float) -> TrainingStatus | None:
        if self.stop():
            return "interrupted"
        return "timeout" if self.plan.max_seconds is not None and elapsed > self.plan.max_seconds else None
