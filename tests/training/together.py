"""Processes that train together in tests: forked from one that has loaded torch, and kept for one law after another."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from pixelbench import pulse
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.training import accumulation, checkpoint, loop
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import seed_everything
from pixelbench.training.world import ALONE, Processes, World, process_group

IMAGES = torch.randint(4, (50, 3, 8, 9), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
SMALL: dict[str, Any] = {"maps": 6, "layers": 1, "head_maps": 6, "blocks": 1, "dropout": 0.4, "latent": 2, "encoder_maps": 4}
SMALL |= {"kl_warmup": 6, "scales": 1, "hidden": 9, "masks": 3, "components": 2}
BATCH, UPDATES = 7, 20


class Together:
    """So many processes; called with a number of them, a function of their `World`, and its further arguments, it returns what each did."""

    def __init__(self, size: int, device: str = "cpu") -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.pipes, self.processes = [], []
        for rank in range(size):
            mine, its = context.Pipe()
            process = context.Process(target=_serve, args=(rank, size, self._store.port, device, its), daemon=True)
            process.start()
            its.close()
            self.pipes.append(mine)
            self.processes.append(process)

    def __call__(self, size: int, function: Callable[..., Any], *arguments: Any, **named: Any) -> list[Any]:
        pipes = self.pipes[:size]
        for pipe in pipes:
            pipe.send((size, function, arguments, named))
        return [pipe.recv() if pipe.poll(120) else "nothing in two minutes" for pipe in pipes]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()


def _serve(rank: int, size: int, port: int, device: str, pipe: Any) -> None:
    torch.set_num_threads(1)
    process_group(TCPStore("127.0.0.1", port, is_master=False), rank, size, device if device == "cpu" else f"{device}:{rank}")
    groups: dict[int, Any] = {count: dist.new_group(list(range(count))) for count in dict.fromkeys((min(2, size), size))}
    while True:
        count, function, arguments, named = pipe.recv()
        try:
            pipe.send(function(Processes(groups[count]), *arguments, **named))
        except Exception as fault:
            pipe.send(f"{type(fault).__name__}: {fault}")


def fresh(family: str, world: World = ALONE, *, double: bool = True, batch: int = BATCH, updates: int = UPDATES, **given: Any) -> Trainer:
    """A training with everything that is drawn, averaged, clipped and selected."""
    seed_everything(3 if world.leads else 4, "weights")  # what process 0 begins with is what counts
    known = {field.name for field in fields(FAMILIES[family].settings)}
    small = {name: value for name, value in SMALL.items() if name in known}
    levels, channels = FAMILIES[family].levels or 4, 1 if FAMILIES[family].levels == 2 else 3
    height, width = (8, 9) if "latent" in small else (4, 5)
    model = create_model(family, channels=channels, height=height, width=width, levels=levels, **small)
    images = IMAGES[:, :channels, :height, :width] % levels
    recipe = Recipe(batch=batch, precision="fp32", learning_rate=1e-2, ema=0.9, clip=0.05, warmup=3, select="best-validation")
    plan = TrainingPlan(updates, 3, None, given.pop("micro_batch", None))
    model = (model.double() if double else model).to(given.pop("device", "cpu"))
    return Trainer(model, images[:40], images[40:], recipe, plan, world=world, **given)


def state(world: World, family: str, blob: bytes | None = None, fault: str | None = None, **given: Any) -> bytes:
    """The state after a training, from that of `blob` where one is given; after `stop_after` updates the last process is asked to end."""
    stop_after = given.pop("stop_after", None)
    with FAULTS[fault](world) if fault else contextlib.nullcontext(), patch("pixelbench.models.scoring.largest_batch", lambda model: 4):
        asked = stop_after is not None and world.rank == world.size - 1
        trainer = fresh(family, world, stop=lambda: asked and trainer.update >= stop_after, **given)
        if blob is not None and world.leads:
            trainer.restore(blob)
        for _ in trainer.run():
            pass
    return trainer.state()


def distance(one: bytes, other: bytes) -> float:
    """The largest difference of weights, averages, best weights and of the optimiser's state; random states must be equal."""
    (mine, header), (its, other_header) = checkpoint.unpack(one), checkpoint.unpack(other)
    assert mine.keys() == its.keys()
    assert header["update"] == other_header["update"]
    assert all(torch.equal(mine[name], its[name]) for name in mine if name.startswith("random"))
    points = [tuple(point.values()) for point in header["curve"]], [tuple(point.values()) for point in other_header["curve"]]
    curves = [abs((a or 0) - (b or 0)) for point, again in zip(*points, strict=True) for a, b in zip(point, again, strict=True)]
    return max([float((mine[name].double() - its[name].double()).abs().max()) for name in mine] + curves)


@contextlib.contextmanager
def every_process_draws_for_itself(world: World) -> Iterator[None]:
    with patch.object(loop, "drawn_for_the_whole", lambda images, rows, device, last: torch.enable_grad()):
        yield


@contextlib.contextmanager
def the_first_rows_always(world: World) -> Iterator[None]:
    real = accumulation._Rows.__init__

    def init(self: Any, images: int, rows: slice) -> None:
        real(self, images, slice(0, rows.stop - rows.start))

    with patch.object(accumulation._Rows, "__init__", init):
        yield


@contextlib.contextmanager
def means_of_means(world: World) -> Iterator[None]:
    """Each process counts the same, however many rows it has."""
    real = Processes.add_up

    def add_up(self: Processes, tensors: Sequence[Tensor]) -> None:
        rows = self.rows(BATCH)
        for tensor in tensors if tensors[0].dim() != 1 or len(tensors) > 1 else ():
            tensor.mul_(BATCH / (rows.stop - rows.start) / self.size)
        real(self, tensors)

    with patch.object(Processes, "add_up", add_up):
        yield


@contextlib.contextmanager
def batches_of_its_own(world: World) -> Iterator[None]:
    real = loop.BatchOrder
    with patch.object(loop, "BatchOrder", lambda images, batch, seed: real(images, batch, seed + world.rank)):
        yield


@contextlib.contextmanager
def images_scored_twice(world: World) -> Iterator[None]:
    with patch.object(loop, "batched_nats", lambda *given, turn, **more: _batched_nats(*given, turn=(0, 1), **more)):
        yield


_batched_nats = loop.batched_nats
FAULTS = {
    fault.__name__: fault
    for fault in (every_process_draws_for_itself, the_first_rows_always, means_of_means, batches_of_its_own, images_scored_twice)
}


def falls_over(world: World, rank: int, place: str, text: str) -> str:
    """One process cannot go on, in the middle of an update or before the first; returns what each says, then trains again."""
    trainer = None
    try:
        with world.together():
            if place == "before" and world.rank == rank:
                raise RuntimeError(text)
            trainer = fresh("pixelcnn-plain", world, updates=4)
        if world.rank == rank:
            _break(trainer, place, text)
        for _ in trainer.run():
            if place == "curve" and world.rank == rank:
                raise RuntimeError(text)
    except RuntimeError as fault:
        return f"{type(fault).__name__}: {fault}"
    return "fine"


def _break(trainer: Trainer, place: str, text: str) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError(text)

    where = {"forward": (trainer, "_forward"), "optimiser": (trainer.optimiser, "step"), "save": (trainer, "save")}.get(place)
    if where is not None:
        setattr(where[0], where[1], fail)


def asked_for_a_checkpoint(world: World, rank: int) -> list[int]:
    """One process is asked for a checkpoint after its third update; returns after which updates this one saves."""
    saved: list[int] = []

    def stop() -> bool:
        if trainer.update == 3 and world.rank == rank:
            pulse.ask_for_checkpoint()
        return False

    trainer = fresh("pixelcnn-plain", world, updates=6, save=lambda blob: saved.append(trainer.update), stop=stop)
    for _ in trainer.run():
        pass
    return saved


def waits_for_a_sum(world: World) -> str:
    try:
        world.add_up([torch.zeros(1)])
    except RuntimeError as fault:
        return f"{type(fault).__name__}: {fault}"
    return "fine"
