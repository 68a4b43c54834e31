"""A program that executes runs of the tiny suite, to be killed: `python -m tests.support.run_tiny FOLDER WORKERS SEED…` prints events."""

import json
import sys
from pathlib import Path

from pixelbench.experiments.schedule.scheduler import run_plan
from tests.support.fake_executor import NAME
from tests.support.suite_file import tiny_plan

if __name__ == "__main__":
    folder, workers, *seeds = sys.argv[1:]
    outcome = run_plan(
        tiny_plan(Path(folder), [int(seed) for seed in seeds]),
        workers=int(workers),
        executor=NAME,
        on_event=lambda event: print(json.dumps(event), flush=True),  # noqa: T201
    )
    print(json.dumps({"event": "outcome", "advice": outcome.advice, "signal": outcome.signal}), flush=True)  # noqa: T201
