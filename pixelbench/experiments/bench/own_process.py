"""A measurement in a process of its own: its peak memory is the network's, and nothing that ran before disturbs it."""

import contextlib
import json
import os
from dataclasses import asdict
from typing import Any

from pixelbench.errors import UserError
from pixelbench.experiments.bench.subjects import Named
from pixelbench.experiments.devices import THREAD_VARIABLES, allowed_threads, available_cores
from pixelbench.experiments.process import answering, answers_of
from pixelbench.store.documents.bench_records import SpeedRecord, parse_speed


def measure_alone(named: Named, device: str, seconds: float, progress: Any = lambda what, done, total: None) -> SpeedRecord:
    """As `pixelbench.experiments.bench.measure.measure`, with all cores, or as many threads as `OMP_NUM_THREADS` allows.

    Raises:
        UserError: it could not be measured; the sentence says why.
    """
    request = json.dumps({**named.to_json(), "device": device, "seconds": seconds})
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(allowed_threads() or available_cores()))
    with contextlib.closing(answers_of(__name__, [request], f"measures {named.name}", environment)) as answers:
        for answer in answers:
            if "error" in answer:
                raise UserError(f"{named.name} cannot be measured: {answer['error']}")
            if "record" in answer:
                return parse_speed(answer["record"])
            progress(*answer["doing"])
    raise AssertionError("answers end by a result or an error")


def main(request: str) -> None:
    """The other process: a line of JSON for each sign of progress, and for the record or the error at the end."""
    tell = answering()
    from pixelbench.errors import first_line
    from pixelbench.experiments.bench.measure import measure

    values = json.loads(request)
    try:
        record = measure(
            Named.from_json(values), values["device"], values["seconds"], lambda what, done, total: tell({"doing": [what, done, total]})
        )
    except UserError as error:
        tell({"error": str(error)})
    except Exception as error:  # whatever a network or a driver throws is said in a sentence
        tell({"error": f"{type(error).__name__}: {first_line(error)}."})
        if os.environ.get("PIXELBENCH_DEBUG") == "1":
            raise
    else:
        tell({"record": asdict(record)})
