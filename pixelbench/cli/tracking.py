"""Runs in the tracking tool that people already use: curves while they train, then final numbers, samples, and where the record is.

Never needed: the record holds all of it. A tool that fails is a note, never the end of a run.
"""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pixelbench.cli.output import say
from pixelbench.errors import UserError, first_line

if TYPE_CHECKING:
    from pixelbench.experiments.plan import Plan

_CURVES = {"train_bits_per_dim": "train bits/dim", "validation_bits_per_dim": "validation bits/dim"}


class Tool(StrEnum):
    """Where curves and final numbers go."""

    tensorboard = "tensorboard"
    wandb = "wandb"
    mlflow = "mlflow"
    csv = "csv"


class Tracked(Protocol):
    """One run in a tool."""

    def numbers(self, values: Mapping[str, float], update: int) -> None:
        """Numbers after so many updates."""
        ...

    def end(self, record: Path, facts: Mapping[str, Any], numbers: Mapping[str, float], samples: Path | None) -> None:
        """Final numbers, what the run is, the picture of its samples, and the folder of its record."""
        ...


@contextlib.contextmanager
def tracking(tool: Tool | None, plan: "Plan") -> Iterator[Callable[[dict[str, Any]], None]]:
    """Take the events of `run_plan` and pass them on to a tool until the block ends; without a tool do nothing.

    Raises:
        UserError: the tool is not installed.
    """
    if tool is None:
        yield lambda event: None
        return
    try:
        open_run = _TOOLS[tool](plan.store)
    except ImportError:
        raise UserError(f'--log {tool} needs a package that is not installed: `pip install "pixelbench[{tool}]"`.') from None
    yield _Tracker(open_run, plan)


class _Tracker:
    """Opens a run in the tool at its first event, and keeps silent about a run whose tool has failed once."""

    def __init__(self, open_run: Callable[[str], Tracked], plan: "Plan") -> None:
        self._open, self._folders = open_run, {cell.spec.label: cell.folder for cell in plan.cells}
        self._runs: dict[str, Tracked] = {}
        self._failed: set[str] = set()

    def __call__(self, event: dict[str, Any]) -> None:
        run = event["run"]
        if run in self._failed or event["event"] not in ("progress", "end"):
            return
        try:
            self._pass_on(run, event)
        except Exception as error:  # whatever a tool throws: no server, no disk
            self._failed.add(run)
            say(f"{run}: not logged any more ({type(error).__name__}: {first_line(error)}); its record has all of it.")

    def _pass_on(self, run: str, event: dict[str, Any]) -> None:
        if run not in self._runs:
            self._runs[run] = self._open(run)
        if event["event"] == "progress":
            values = {title: event[name] for name, title in _CURVES.items() if event.get(name) is not None}
            self._runs[run].numbers(values, event["update"])
            return
        from pixelbench.store.artifacts import SAMPLES

        folder = self._folders[run]
        samples = folder / SAMPLES
        self._runs.pop(run).end(folder, *_final(folder), samples if samples.is_file() else None)


def _final(folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """What the run is, and its final numbers; empty where it has no record."""
    from pixelbench.store.record_file import RECORD

    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}, {}
    facts = {"run key": record["run_key"], "status": record["status"], "causality": record["causality"]["status"]}
    facts |= {"task": record["task"]["name"], "variant": record["variant"]["name"], "seed": record["seed"]}
    facts |= {f"settings.{name}": value for name, value in record["variant"]["settings"].items()}
    facts |= {f"recipe.{name}": value for name, value in (record["recipe"] or {}).items()}
    scores = (("test", record.get("likelihood")), ("sequential", record.get("sequential")))
    numbers = {f"{name} {unit}": score[field] for name, score in scores if score for unit, field in _UNITS}
    return facts, numbers


_UNITS = (("bits/dim", "bits_per_dim"), ("nats/image", "nats_per_image"))


def _tensorboard(store: Path) -> Callable[[str], Tracked]:
    from torch.utils.tensorboard import SummaryWriter

    class Run:
        def __init__(self, name: str) -> None:
            self.writer, self.last = SummaryWriter(str(store / "tensorboard" / name.replace(" ", "-"))), 0

        def numbers(self, values: Mapping[str, float], update: int) -> None:
            self.last = update
            for name, value in values.items():
                self.writer.add_scalar(name, value, update)
            self.writer.flush()

        def end(self, record: Path, facts: Mapping[str, Any], numbers: Mapping[str, float], samples: Path | None) -> None:
            for name, value in numbers.items():
                self.writer.add_scalar(name, value, self.last)
            self.writer.add_text("run", "\n".join(f"- {name}: {value}" for name, value in {**facts, "record": str(record)}.items()))
            if samples is not None:
                import numpy as np
                from PIL import Image

                self.writer.add_image("samples", np.asarray(Image.open(samples).convert("RGB")), self.last, dataformats="HWC")
            self.writer.close()

    return Run


def _wandb(store: Path) -> Callable[[str], Tracked]:
    wandb: Any = import_module("wandb")

    class Run:
        def __init__(self, name: str) -> None:
            store.mkdir(parents=True, exist_ok=True)
            self.run = wandb.init(project="pixelbench", name=name, dir=str(store), reinit="create_new")

        def numbers(self, values: Mapping[str, float], update: int) -> None:
            self.run.log(dict(values), step=update)

        def end(self, record: Path, facts: Mapping[str, Any], numbers: Mapping[str, float], samples: Path | None) -> None:
            self.run.config.update({**facts, "record": str(record)}, allow_val_change=True)
            self.run.summary.update(dict(numbers))
            if samples is not None:
                self.run.log({"samples": wandb.Image(str(samples))})
            self.run.finish()

    return Run


def _mlflow(store: Path) -> Callable[[str], Tracked]:
    mlflow: Any = import_module("mlflow")

    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name("pixelbench")
    experiment = client.create_experiment("pixelbench") if found is None else found.experiment_id

    class Run:
        def __init__(self, name: str) -> None:
            self.id = client.create_run(experiment, run_name=name).info.run_id

        def numbers(self, values: Mapping[str, float], update: int) -> None:
            for name, value in values.items():
                client.log_metric(self.id, _plain(name), value, step=update)

        def end(self, record: Path, facts: Mapping[str, Any], numbers: Mapping[str, float], samples: Path | None) -> None:
            for name, value in {**facts, "record": str(record)}.items():
                client.log_param(self.id, _plain(name), str(value)[:500])
            self.numbers(numbers, 0)
            if samples is not None:
                client.log_artifact(self.id, str(samples))
            client.set_terminated(self.id)

    return Run


def _csv(store: Path) -> Callable[[str], Tracked]:
    class Run:
        """Rows of one file for all runs: run, update, name, value."""

        def __init__(self, name: str) -> None:
            self.name, self.last, self.path = name, 0, store / "log.csv"

        def numbers(self, values: Mapping[str, float], update: int) -> None:
            self.last = update
            store.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.exists()
            with self.path.open("a", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if fresh:
                    writer.writerow(("run", "update", "name", "value"))
                writer.writerows((self.name, update, name, value) for name, value in values.items())

        def end(self, record: Path, facts: Mapping[str, Any], numbers: Mapping[str, float], samples: Path | None) -> None:
            self.numbers(numbers, self.last)

    return Run


def _plain(name: str) -> str:
    """A name as MLflow takes it."""
    return name.replace("/", " per ")


_TOOLS: dict[Tool, Callable[[Path], Callable[[str], Tracked]]] = {
    Tool.tensorboard: _tensorboard,
    Tool.wandb: _wandb,
    Tool.mlflow: _mlflow,
    Tool.csv: _csv,
}
