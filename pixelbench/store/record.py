"""The JSON file that a run leaves, whatever its end: where it lies, what it must hold, reading and writing it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError
from pixelbench.store.atomic import write_json
from pixelbench.store.spec import RunSpec

#: Rises when the meaning or the name of a field changes. Older records are migrated on reading, never retrained.
SCHEMA = 1

#: The field `causality` of a run that was not checked: a codec, or one that ended before.
UNCHECKED = {
    "status": "unchecked",
    **dict.fromkeys(("largest_leak", "tolerance", "counter_example", "faults", "probes", "trained_positions")),
}

STATUSES = ("done", "failed", "diverged", "timeout", "interrupted")

_NUMBER = (int, float)
_MEND = "make it anew with --rerun failed, or move its folder away"
#: Field → the types of its value. A dotted name looks inside an object that may be null: then nothing is asked of it.
_FIELDS: dict[str, tuple[type, ...]] = {
    "schema": (int,),
    "run_key": (str,),
    "status": (str,),
    "task": (dict,),
    "task.name": (str,),
    "task.digest": (str,),
    "task.preprocessing": (str,),
    "task.channels": (int,),
    "task.height": (int,),
    "task.width": (int,),
    "task.levels": (int,),
    "variant": (dict,),
    "variant.name": (str,),
    "variant.family": (str,),
    "variant.model_version": (int,),
    "variant.settings": (dict,),
    "recipe": (dict,),
    "budget": (dict,),
    "budget.name": (str,),
    "budget.updates": (int,),
    "evaluation": (dict,),
    "seed": (int,),
    "expect": (str,),
    "likelihood": (dict, type(None)),
    "likelihood.bits_per_dim": _NUMBER,
    "likelihood.bits_per_dim_se": (*_NUMBER, type(None)),
    "likelihood.nats_per_image": _NUMBER,
    "likelihood.estimator": (str,),
    "likelihood.n_images": (int,),
    "likelihood.n_clusters": (int,),
    "likelihood.validation_bits_per_dim": (*_NUMBER, type(None)),
    "sequential": (dict, type(None)),
    "sequential.bits_per_dim": _NUMBER,
    "latent": (dict, type(None)),
    "latent.kl": _NUMBER,
    "latent.kl_per_dimension": (list,),
    "latent.active_units": (int,),
    "latent.dimensions": (int,),
    "causality": (dict,),
    "causality.status": (str,),
    "samples": (dict, type(None)),
    "samples.statistics": (dict,),
    "diagnoses": (list,),
    "cost": (dict,),
    "cost.seconds": _NUMBER,
    "cost.parameters": (int,),
    "cost.updates": (int,),
    "provenance": (dict,),
    "provenance.source_digest": (str, type(None)),
    "provenance.device": (str,),
    "error": (dict, type(None)),
    "error.type": (str,),
    "error.message": (str,),
}
_PATHS = [(name, *name.partition(".")[::2], kinds) for name, kinds in _FIELDS.items()]


class RecordError(UserError):
    """A record that cannot be used; the message names the file, what is wrong and what to do. `newer`: another version can read it."""

    def __init__(self, sentence: str, *, newer: bool = False) -> None:
        super().__init__(sentence)
        self.newer = newer


def run_folder(store: Path, spec: RunSpec) -> Path:
    """`<store>/<task>/<variant>/<run key>`."""
    return store / spec.task["name"] / spec.variant / spec.key


def certificates_folder(store: Path) -> Path:
    """Where certificates of causality are kept for all runs that they hold for."""
    return store / "work" / "certificates"


def spec_fields(spec: RunSpec) -> dict[str, Any]:
    """The part of a record that repeats what was asked for."""
    return {
        "schema": SCHEMA,
        "run_key": spec.key,
        "task": spec.task,
        "variant": {"name": spec.variant, "family": spec.family, "model_version": spec.model_version, "settings": spec.settings},
        "recipe": spec.recipe,
        "budget": {"name": spec.budget, "updates": spec.updates},
        "evaluation": spec.evaluation,
        "seed": spec.seed,
        "expect": spec.expect,
    }


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Writes `folder/record.json` in one step. It comes last: its presence means that the run has ended.

    Raises:
        ValueError: a field is missing or of the wrong type, or a number is not finite.
        OSError: the folder cannot be written.
    """
    fault = _fault(record)
    if fault:
        raise ValueError(f"not a record: {fault}")
    write_json(folder / "record.json", record)


def read_record(folder: Path) -> dict[str, Any]:
    """The record in `folder`.

    Raises:
        FileNotFoundError: there is none: the run has not ended.
        RecordError: damaged, or written by a newer PixelBench.
    """
    path = folder / "record.json"
    try:
        record = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror}); mend its permissions or move it away.") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged (not JSON: {error}); {_MEND}.") from error
    if isinstance(record, dict):
        record.setdefault("latent", None)  # records from before there were latent-variable families
    fault = _fault(record)
    if fault:
        newer = _is_newer(record)
        raise RecordError(f"{path} {fault}; {'update PixelBench to read it' if newer else _MEND}.", newer=newer)
    return record


def is_bound(estimator: str | None) -> bool:
    """Whether a likelihood of this estimator is only known to be no worse: `elbo` and `iwae-K`, not `exact` nor `code-length`."""
    return estimator is not None and (estimator == "elbo" or estimator.startswith("iwae-"))


def fingerprint(record: dict[str, Any]) -> str:
    """Tells whether a record is still the one that was seen before."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _is_newer(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("schema"), int) and record["schema"] > SCHEMA


def _fault(record: Any) -> str | None:
    """What is wrong with a record, as the end of a sentence that begins with its name; None where it is sound."""
    if not isinstance(record, dict):
        return "is damaged (not an object)"
    if _is_newer(record):
        return f"has schema {record['schema']}, newer than the {SCHEMA} that this version knows"
    for name, head, tail, kinds in _PATHS:
        holder = record.get(head) if tail else record
        if holder is None:
            continue
        if (tail or head) not in holder:
            return f"is damaged ('{name}' is missing)"
        value = holder[tail or head]
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"is damaged ('{name}' is {value!r})"
    if record["schema"] != SCHEMA:
        return f"has schema {record['schema']}, which never existed"
    if record["status"] not in STATUSES:
        return f"is damaged (status '{record['status']}' is none of {', '.join(STATUSES)})"
    if not all(isinstance(diagnosis, dict) and isinstance(diagnosis.get("name"), str) for diagnosis in record["diagnoses"]):
        return "is damaged ('diagnoses' has an entry without a name)"
    if not all(isinstance(kl, _NUMBER) for kl in (record["latent"] or {}).get("kl_per_dimension", ())):
        return "is damaged ('latent.kl_per_dimension' has an entry that is no number)"
    statistics = (record["samples"] or {}).get("statistics", {})
    strange = [name for name, value in statistics.items() if not isinstance(value, (*_NUMBER, type(None)))]
    return f"is damaged ('samples.statistics.{strange[0]}' is no number)" if strange else None
