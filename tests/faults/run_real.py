"""`python -m tests.faults.run_real STORE WORKERS SEED...`: real, tiny runs with a checkpoint after every update, to be disturbed.

`STARVE_AT=7` in the environment: after that update the first worker that has none yet is given no more memory (`ulimit -v`).
"""

import os
import resource
import sys
from pathlib import Path
from typing import Any

from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.experiments.schedule.scheduler import run_plan
from pixelbench.files.atomic import write_text
from pixelbench.suites.load import load_suite
from tests.support import eager_executor
from tests.support.suite_file import TEXT

UPDATES = 60


def execute(*arguments: Any, emit: Any, **named: Any) -> str:
    """The real executor, short of memory from an update on."""

    def starve(event: dict[str, Any]) -> None:
        emit(event)
        if event["event"] == "progress" and event["update"] == int(os.environ.get("STARVE_AT", "-1")):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), resource.RLIM_INFINITY))

    return eager_executor.execute(*arguments, emit=starve, **named)


def plan_in(store: Path, seeds: list[int], rerun: str = "missing") -> Plan:
    suite = store.parent / f"{store.name}.toml"
    text = TEXT.replace("updates = 10", f"updates = {UPDATES}").replace("[recipe]", "[recipe]\nema = 0.9\nbatch = 16")
    write_text(suite, text + '[[variant]]\nname = "pixelcnn"\nfamily = "pixelcnn"\n')  # in one step: others are reading it
    return make_plan(load_suite(str(suite)), store, seeds=seeds, only=["pixelcnn"], rerun=rerun)


if __name__ == "__main__":
    folder, workers, *chosen = sys.argv[1:]
    outcome = run_plan(
        plan_in(Path(folder), [int(seed) for seed in chosen]), workers=int(workers), executor="tests.faults.run_real:execute"
    )
    if outcome.signal is not None:
        sys.exit(128 + outcome.signal)
    sys.exit(1 if outcome.interrupted or outcome.failed else 0)
