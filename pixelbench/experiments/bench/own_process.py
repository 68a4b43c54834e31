"""A measurement in a process of its own: its peak memory is the network's, and nothing that ran before disturbs it."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import Any

from pixelbench.errors import UserError
from pixelbench.experiments.bench.subjects import Named
from pixelbench.experiments.devices import allowed_threads, available_cores
from pixelbench.store.documents.bench_records import SpeedRecord, parse_speed

_START = "import sys; sys.path[:] = sys.argv[2:]; from pixelbench.experiments.bench.own_process import main; main(sys.argv[1])"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: Lines of what a process printed last that are shown.
_LINES = 5


def measure_alone(named: Named, device: str, seconds: float, progress: Any = lambda what, done, total: None) -> SpeedRecord:
    """As `pixelbench.experiments.bench.measure.measure`, with all cores, or as many threads as `OMP_NUM_THREADS` allows.

    Raises:
        UserError: it could not be measured; the sentence says why.
    """
    request = json.dumps({**named.to_json(), "device": device, "seconds": seconds})
    command = [sys.executable, "-P", "-c", _START, request, *(path or os.getcwd() for path in sys.path)]
    environment = os.environ | dict.fromkeys(_THREADS, str(allowed_threads() or available_cores()))
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    raise UserError(f"{named.name} cannot be measured: {answer['error']}")
                if "record" in answer:
                    return parse_speed(answer["record"])
                progress(*answer["doing"])
            code = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        errors.seek(0)
        said = " ".join(errors.read().decode(errors="replace").splitlines()[-_LINES:])
    raise UserError(f"The process that measures {named.name} ended (exit code {code}){f': {said}' if said else ''}.")


def main(request: str) -> None:
    """The other process: a line of JSON for each sign of progress, and for the record or the error at the end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module of somebody's prints is no answer

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

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
