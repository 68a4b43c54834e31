"""Training steps of this checkout against those of another one: `python tests/bench/against.py OTHER [CASE …] [--rounds N]`.

Two processes with one thread on one core take turns, some steps each, so that both see the same machine; what counts is the median of the
ratios of neighbours. Processor time, since a shared machine's wall time is that of its other guests. Numbers are in `README.md`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LSTM = {"head_maps": 32, "skip": True, "head": "bernoulli"}
MADE = {"hidden": 8000, "direct": True, "order": "random"}
#: Family, settings, optimiser and batch, on binary images of 28x28.
CASES: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "diagonal-bilstm 7x16, batch 16": ("diagonal-bilstm", LSTM | {"layers": 7, "maps": 16}, "rmsprop", 16),
    "diagonal-bilstm 1x32, batch 16": ("diagonal-bilstm", LSTM | {"layers": 1, "maps": 32}, "rmsprop", 16),
    "diagonal-bilstm 1x32, batch 32": ("diagonal-bilstm", LSTM | {"layers": 1, "maps": 32}, "rmsprop", 32),
    "row-lstm 7x16, batch 16": ("row-lstm", LSTM | {"layers": 7, "maps": 16}, "rmsprop", 16),
    "fvsbn": ("fvsbn", {}, "adam", 100),
    "nade 500": ("nade", {"hidden": 500}, "adam", 100),
    "made 8000": ("made", MADE, "adagrad", 100),
    "made 8000, 32 masks": ("made", MADE | {"masks": 32}, "adagrad", 100),
}


def work(case: str) -> None:
    """Reads numbers of steps, answers with milliseconds of processor time a step."""
    import torch

    from pixelbench.models.families import create_model
    from pixelbench.training import loop
    from pixelbench.training.recipe import Recipe

    family, settings, optimiser, batch = CASES[case]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.randint(2, (2 * batch, 1, 28, 28), dtype=torch.uint8)
    model = create_model(family, channels=1, height=28, width=28, levels=2, **settings)
    recipe: Any = Recipe(optimiser=optimiser, learning_rate=1e-3, batch=batch, precision="fp32", clip=0.0)  # type: ignore[arg-type]
    plan = vars(loop).get("TrainingPlan") or vars(loop)["Plan"]  # as older checkouts call it
    trainer = loop.Trainer(model, images, images[:1], recipe, plan(10**6, 0))
    for line in sys.stdin:
        began = time.process_time()
        for _ in range(int(line)):
            trainer._step()
        print(1000 * (time.process_time() - began) / int(line), flush=True)


def started(checkout: Path, case: str) -> subprocess.Popen[str]:
    """A worker by the code of that checkout, warmed up."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--work", case]
    worker = subprocess.Popen(
        command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    milliseconds(worker, 3)
    return worker


def milliseconds(worker: "subprocess.Popen[str]", steps: int) -> float:
    """Of processor time a step."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    print(steps, file=worker.stdin, flush=True)
    return float(worker.stdout.readline())


def main() -> None:
    """Prints a row of a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=[], help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # both workers inherit it
    print("| case | before, ms of processor time a step | after | ratio, median (least to most) |\n| --- | --- | --- | --- |")
    for case in options.cases or CASES:
        workers = [started(checkout.resolve(), case) for checkout in (options.other, Path(__file__).parents[2])]
        pairs = [[milliseconds(worker, 3) for worker in workers] for _ in range(options.rounds)]
        for worker in workers:
            worker.kill()
            worker.wait()
        before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratios = [a / b for a, b in pairs]
        print(
            f"| {case} | {before:.1f} | {after:.1f} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
            flush=True,
        )


if __name__ == "__main__":
    work(sys.argv[2]) if sys.argv[1:2] == ["--work"] else main()
