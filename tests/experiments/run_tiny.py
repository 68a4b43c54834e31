"""A program that makes runs of the tiny suite, to be killed: `run_tiny.py FOLDER WORKERS SEED...`; prints the events."""

import json
import sys
from pathlib import Path

from fake_executor import NAME
from suite_file import tiny_plan

from pixelbench.experiments.schedule.scheduler import run_plan

if __name__ == "__main__":
    folder, workers, *seeds = sys.argv[1:]
    outcome = run_plan(
        tiny_plan(Path(folder), [int(seed) for seed in seeds]),
        workers=int(workers),
        executor=NAME,
        on_event=lambda event: print(json.dumps(event), flush=True),  # noqa: T201
    )
    print(json.dumps({"event": "outcome", "advice": outcome.advice, "signal": outcome.signal}), flush=True)  # noqa: T201
