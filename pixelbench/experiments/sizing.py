"""What a suite costs on GPUs before any of it has run: floating-point operations and kernel launches of each row, counted without
computing any of it, and the GPU-hours that they come to at a stated rate.

`python -m pixelbench.experiments.sizing docs/cluster.md` writes the table of the paper suite between the page's two marks.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from pixelbench.experiments.stages import build
from pixelbench.files.atomic import write_text
from pixelbench.models.base import count_parameters
from pixelbench.models.families import get_family
from pixelbench.models.layers import scan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of

BEGIN, END = "<!-- sizing:begin -->", "<!-- sizing:end -->"
#: Runs are counted for so many seeds on so many GPUs.
SEEDS, GPUS = 3, 32


@dataclass(frozen=True)
class Work:
    """What one update of a run takes, whatever executes it."""

    parameters: int
    step: int
    """Floating-point operations of products and convolutions, forward and backward, of a whole batch."""
    launches: int
    """Operations that a GPU is given one after another."""


@dataclass(frozen=True)
class Machine:
    """At what rate a GPU is assumed to work."""

    name: str
    roof: float
    """FLOP/s of dense bf16 products, as its maker states it."""
    share: float
    """Of the roof, what these networks reach: they are bound by memory, with maps of some dozens to hundreds."""
    launch: float
    """Seconds from one launch to the next, without graph capture."""

    def seconds(self, work: Work) -> float:
        """Of an update: by its products, or by its launches where they take longer."""
        return max(work.step / (self.roof * self.share), work.launches * self.launch)


#: 989 TFLOP/s: NVIDIA's data sheets of H100 and H200 (SXM), without sparsity. The share is an assumption. A launch is what nine rows of
#: MNIST took on an H200, the median of 18 to 58 µs: optimiser and average are in the time and not in the count.
ASSUMED = Machine("H100 or H200 (SXM)", 989e12, 0.15, 44e-6)


#: Operators of our own are one operation to torch; what they are made of is counted.
_INSIDE = {
    torch.ops.pixelbench.scan_forwards.default: scan._forwards._init_fn,
    torch.ops.pixelbench.scan_backwards.default: scan._backwards._init_fn,
}


class _Launches(TorchDispatchMode):
    """Counts operations that compute something: views launch nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _INSIDE:
            with self:
                return _INSIDE[func](*args, **(kwargs or {}))
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def work_of(spec: RunSpec) -> Work:
    """Count an update of the run on the meta device, where tensors have shapes and no numbers."""
    model = build(spec).to("meta")
    shape = [spec.recipe["batch"], *(spec.task[name] for name in ("channels", "height", "width"))]
    images = torch.zeros(shape, dtype=torch.uint8, device="meta")
    batch = (images, torch.zeros(shape[0], dtype=torch.int64, device="meta")) if model.conditional else (images,)
    model.train()
    with FlopCounterMode(display=False) as flops, _Launches() as launches:
        model.loss(*batch).backward()
    return Work(count_parameters(model), flops.get_total_flops(), launches.count)


def trained(suite: str, budget: str) -> list[RunSpec]:
    """The rows of a suite that are trained by gradients, seed 0 of each."""
    specs = specs_of(load_suite(suite), budget=budget, seeds=[0], device="cuda")
    return [spec for spec in specs if spec.recipe and get_family(spec.family).kind == "network"]


def table(suite: str = "paper", budget: str = "paper", machine: Machine = ASSUMED) -> str:
    """The rows with their GPU-hours, and the sum over seeds; then the arithmetic in words."""
    lines = [
        "| task | variant | parameters | batch | updates | GFLOP an update | launches | ms an update | GPU-hours a run |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    total, longest = 0.0, 0.0
    for spec in trained(suite, budget):
        work = work_of(spec)
        hours = spec.updates * machine.seconds(work) / 3600
        total, longest = total + hours, max(longest, hours)
        cells = (
            *(spec.task["name"], spec.variant, f"{work.parameters:,}", str(spec.recipe["batch"]), f"{spec.updates:,}"),
            *(f"{work.step / 1e9:,.1f}", f"{work.launches:,}", f"{machine.seconds(work) * 1e3:,.1f}", f"{hours:,.1f}"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_conclusion(suite, budget, machine, total, longest)])


def _conclusion(suite: str, budget: str, machine: Machine, total: float, longest: float) -> list[str]:
    rate = f"{machine.roof / 1e12:,.0f} TFLOP/s x {machine.share:.0%} = {machine.roof * machine.share / 1e12:,.0f} TFLOP/s"
    hours = total * SEEDS
    return [
        f"Suite `{suite}`, budget `{budget}`, counted by `python -m pixelbench.experiments.sizing` for {machine.name}:",
        f"{rate} in products and convolutions, or {machine.launch * 1e6:.0f} µs a launch, whichever takes longer.",
        f"One seed of all rows: {total:,.0f} GPU-hours; {SEEDS} seeds: {hours:,.0f}. On {GPUS} GPUs, one a run:",
        f"{hours:,.0f} / {GPUS} = {hours / GPUS:,.0f} hours, but no less than the longest run, {longest:,.0f} hours, unless",
        "`--gpus-per-run` shares it out.",
    ]


def written_into(page: str, text: str) -> str:
    """The page with the text between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_text(target, written_into(target.read_text(), table()))
