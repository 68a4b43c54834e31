"""The project's own guard: no variant is trained before its causality has been checked, nor reported before the trained model has.

The narrow copy has the same connections with few feature maps and levels, so that every input can be changed. Its certificate depends on
code, settings and shape, never on seed or data, so it is kept and shared by all runs that it holds for.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.probing.positions import TRAINED_POSITIONS, by_importance
from pixelbench.errors import UserError
from pixelbench.experiments.code_digest import certificate_digest
from pixelbench.experiments.provenance import versions
from pixelbench.files.atomic import write_json
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import get_family
from pixelbench.store.record import Causality
from pixelbench.store.spec import RunSpec
from pixelbench.training.seeding import derive

#: More levels only widen what enters the first layer and what leaves the head; so few can all be tried at each sub-pixel.
_MOST_LEVELS = 17
#: For the map of somebody else's network at its own size; what was not reached is not claimed.
_SECONDS = 300.0
#: `stages.build`: the model of a run, with changes of settings or levels.
Build = Callable[..., AutoregressiveModel]


def narrow(spec: RunSpec) -> dict[str, Any]:
    """The changes that make the narrow copy: fewer levels, and of the settings that the family names at most as much as it says."""
    levels = get_family(spec.family).fewer_levels(spec.task["levels"], _MOST_LEVELS)
    channels, height, width = (spec.task[name] for name in ("channels", "height", "width"))
    return {"levels": levels, **get_family(spec.family).narrowed(spec.settings, channels, height, width, levels)}


def certify(spec: RunSpec, build: Build, cache: Path | None) -> CausalityReport:
    """The complete dependence map of a narrow copy, from `cache` where it holds it.

    Args:
        spec: the run.
        build: makes the model of a run, with changes.
        cache: a folder of certificates by key; None keeps nothing.
    """
    stored = None if cache is None else cache / f"{certificate_key(spec)}.json"
    found = None if stored is None else CausalityReport.read(stored)
    if found is not None:
        return found
    model = build(dataclasses.replace(spec, seed=0), **narrow(spec))  # the same for all seeds
    report = _complete_map(model, f"{spec.family}, narrow copy", others=not get_family(spec.family).is_own)
    if stored is not None:
        with contextlib.suppress(OSError):  # a store that cannot be written only costs time later
            write_json(stored, report.to_json())
    return report


def _complete_map(model: AutoregressiveModel, name: str, *, others: bool) -> CausalityReport:
    """Of somebody else's network, which is not narrowed, within a time limit; and after a step where fresh weights let nothing through."""
    target = model.certified_as(name)
    check = functools.partial(check_causality, model.certifiable(), model.shape, levels=model.levels, target=target)
    if not others:
        return check()
    report = check(seconds=_SECONDS)
    if report.verdict != "undecided":
        return report
    try:
        return check(seconds=_SECONDS, after_step=True)
    except UserError:  # no gradient arrives either
        return report


def certify_trained(model: AutoregressiveModel, spec: RunSpec) -> CausalityReport:
    """The trained model itself, at the most telling positions and some that the seed chooses: always as many, however long it takes."""
    places = np.arange(model.channels * model.height * model.width)
    telling = by_importance(places, model.shape, spec.seed)[: TRAINED_POSITIONS // 2]
    others = np.random.default_rng(derive(spec.seed, "trained positions")).permutation(np.setdiff1d(places, telling))
    positions = np.union1d(telling, others[: TRAINED_POSITIONS - len(telling)])
    target = model.certified_as(f"{spec.family}, trained")
    return check_causality(model.certifiable(), model.shape, levels=model.levels, positions=positions, seed=spec.seed, target=target)


def causality_of(certificate: CausalityReport, trained: CausalityReport | None) -> Causality:
    """The record's field `causality`: the narrow copy's complete map, and the trained model where it was probed.

    A leak of either counts; without one, the map that is complete speaks.
    """
    leak = trained if trained is not None and trained.leaky and not certificate.leaky else certificate
    return Causality(
        status=leak.status,
        largest_leak=leak.largest_leak,
        tolerance=leak.method.tolerance,
        counter_example=leak.counter_example,
        faults=leak.faults,
        probes=leak.method.probes,
        trained_positions=None if trained is None else trained.positions_probed,
    )


def artifact_of(report: CausalityReport) -> bytes:
    """The contents of a run's `certificate.json`: the certificate, of its missing positions the blind spots only.

    What lies beyond the context follows from the context, and would be most of the file.
    """
    short = dataclasses.replace(report, missing=tuple(gap for gap in report.missing if gap.inside))
    return json.dumps(short.to_json(), sort_keys=True, indent=1, allow_nan=False).encode()


def certificate_key(spec: RunSpec) -> str:
    """Name for everything that the narrow copy's certificate depends on: its code and the checker's, torch, settings, shape and levels."""
    requested = {
        "family": spec.family,
        "settings": {**spec.settings, **narrow(spec)},
        "shape": [spec.task[name] for name in ("channels", "height", "width")],
        "code": certificate_digest(spec.family),
        "torch": versions()["torch"],
    }
    return hashlib.sha256(json.dumps(requested, sort_keys=True).encode()).hexdigest()[:24]
