"""Fabricated stores: runs that add up, with the files beside them as a run would leave them, in milliseconds and without torch.

`ask` says what was asked for, `record_of` what came of it, `leave` writes both; `add_spec` and `add_run` do all three. A test that wants a
run which does not add up takes a genuine one and spoils it with `rewrite`.
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from pixelbench.data import get_task, task_names
from pixelbench.evaluation.protocol import Evaluation
from pixelbench.key_fields import key_values
from pixelbench.models.families import FAMILIES, get_family
from pixelbench.statistics import clustered_standard_error
from pixelbench.store.artifacts import CURVE, NATS, SAMPLES
from pixelbench.store.record import (
    Causality,
    CausalStatus,
    Cost,
    LatentUse,
    Likelihood,
    Provenance,
    Record,
    Request,
    RunError,
    Samples,
    request_fields,
    task_fields,
)
from pixelbench.store.record_file import read_record, run_folder, to_document, write_record
from pixelbench.store.spec import RunSpec
from pixelbench.training.recipe import Recipe
from pixelbench.units import bits_per_dim

#: Test images of a fabricated run, and how many of them come from one photograph.
IMAGES, PER_CLUSTER = 60, 5
REAL = {
    "mean_level": 0.41,
    "zeros": 0.10,
    "constant_images": 0.0,
    "spatial_correlation": 0.8,
    "colour_coherence": 0.81,
    "chroma_luma": 0.13,
}
#: What the nets of a fabricated store have in common, as far as their family has it.
_SETTINGS = {"layers": 3, "maps": 24}
_RECIPE = {"batch": 32, "precision": "fp32"}


def ask(
    variant: str,
    *,
    task: str = "photos",
    family: str | None = None,
    seed: int = 0,
    budget: str = "quick",
    updates: int = 500,
    settings: dict[str, Any] | None = None,
    recipe: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None,
    expect: str = "causal",
    digest: str | None = None,
) -> RunSpec:
    """What was asked for. `family`: by default the variant's name, or Gated PixelCNN; `digest`: by default the pinned one of the task."""
    kind = get_family(family or (variant if variant in FAMILIES else "gated-pixelcnn"))
    names = getattr(kind.settings, "__dataclass_fields__", {})
    chosen = {**{name: value for name, value in _SETTINGS.items() if name in names}, **(settings or {})}
    trained = kind.kind == "network"
    images = get_task(task).with_split((recipe or {}).get("split", "held-out"))
    return RunSpec(
        task={**task_fields(images), "digest": digest or images.digest},
        variant=variant,
        family=kind.name,
        model_version=kind.version,
        settings=key_values(kind.parse(chosen)),
        recipe=key_values(Recipe(**{**_RECIPE, **(recipe or {})})) if trained else {},
        budget=budget,
        updates=updates if trained else 0,
        evaluation=key_values(Evaluation(**{"test_images": IMAGES, "samples": 24, **(evaluation or {})})),
        seed=seed,
        expect=expect,
    )


def record_of(
    spec: RunSpec,
    *,
    status: str = "done",
    causal: str | None = None,
    trained_positions: int | None = 16,
    error: RunError | None = None,
    **fields: Any,
) -> Record:
    """A record without likelihood and samples. `causal`: by default as the family can be checked; `fields`: of the record, whole."""
    kind = get_family(spec.family).kind
    causal = causal or ("unchecked" if kind == "codec" else "complete")
    done = status == "done"
    updates = spec.updates if done else spec.updates // 2
    if status == "failed" and error is None:
        error = RunError("ValueError", "loss is inf at update 3")
    return Record(
        **{
            **request_fields(spec),
            "status": status,
            "provenance": Provenance("cpu", "5" * 64, "0123456789abcdef", False, {"python": "3.12.1", "torch": "2.11.0"}),
            "cost": Cost(
                seconds=36.5 if kind == "network" else 0.2,
                train_seconds=30.0 if kind == "network" else 0.0,
                evaluate_seconds=6.5 if kind == "network" else 0.1,
                peak_memory_bytes=10**8,
                parameters=81_234 if kind == "network" else 0,
                updates=updates,
                images_seen=updates * spec.recipe["batch"] if spec.recipe else 0,
            ),
            "causality": _causality(causal, trained_positions if done else None),
            "error": error,
            "selected_update": updates if done and spec.recipe.get("select") == "best-validation" else None,
            "request": Request("run", "quick", spec.task["name"], spec.budget),
            **fields,
        }
    )


def leave(store: Path, record: Record, files: dict[str, bytes] | None = None) -> Record:
    """Writes a record and the files beside it, as a run ends; returns the record as it was written, with their SHA-256."""
    folder, files = run_folder(store, record.spec), files or {}
    folder.mkdir(parents=True)
    for name, blob in files.items():
        (folder / name).write_bytes(blob)
    record = replace(record, artifacts={name: hashlib.sha256(blob).hexdigest() for name, blob in files.items()})
    write_record(folder, record)
    return record


def add_spec(
    store: Path,
    spec: RunSpec,
    bits: float | None = None,
    *,
    noise: float = 0.1,
    image_seed: int = 7,
    sequential: float | None = None,
    latent: LatentUse | None = None,
    statistics: dict[str, float | None] | None = None,
    canvas_agreement: float = 1.0,
    files: dict[str, bytes] | None = None,
    **of_record: Any,
) -> Record:
    """A run of `spec` in a store: likelihoods of its test images around `bits` bits/dim, none without `bits`.

    `noise`: the run's own part of an image's likelihood; the rest is common to all runs with the same `image_seed`, since every model finds
    the same images hard. `sequential`: bits/dim of the sampler's process. `statistics`: of the samples, instead of the real images'.
    `files`: further ones beside the record. `of_record`: see `record_of`.
    """
    record, files = record_of(spec, **of_record), {**(files or {})}
    shape, codec = record.task.shape, get_family(spec.family).kind == "codec"
    if bits is not None and codec:
        record = replace(record, likelihood=_score(bits, shape, "code-length", _images(record)))
    elif bits is not None:
        nats, clusters = nats_around(bits, record, noise, image_seed)
        files[NATS] = nats_file(nats, clusters)
        error = clustered_standard_error(nats.astype(np.float64), clusters)
        likelihood = _score(bits, shape, estimator_of(spec), len(nats), len(np.unique(clusters)), error)
        if spec.split == "all-training":
            likelihood = replace(likelihood, validation_bits_per_dim=None)
        grey = dict.fromkeys(("colour_coherence", "chroma_luma")) if shape[0] == 1 else {}
        drawn = Samples(
            {**REAL, **grey, **(statistics or {})}, 24, {**REAL, **grey}, "naive" if record.leaky else "cached", canvas_agreement
        )
        record, files[SAMPLES] = replace(record, likelihood=likelihood, samples=drawn, latent=latent), _picture()
        if record.trained:
            files[CURVE] = _curve(bits, spec.updates)
    if sequential is not None:
        record = replace(record, sequential=replace(_score(sequential, shape, "exact", 8), bits_per_dim_se=0.3))
    return leave(store, record, files)


def add_run(store: Path, variant: str, bits: float | None = None, **options: Any) -> Record:
    """One run in a store; options as in `ask` and `add_spec`."""
    requested = {name: options.pop(name) for name in (ask.__kwdefaults__ or {}) if name in options}
    return add_spec(store, ask(variant, **requested), bits, **options)


def add_seeds(store: Path, variant: str, *bits: float, **options: Any) -> list[Record]:
    """Runs of seeds 0, 1, … that came to these bits/dim."""
    return [add_run(store, variant, value, seed=seed, **options) for seed, value in enumerate(bits)]


def add_photos(store: Path) -> None:
    """A photos task with everything the two lessons need."""
    add_run(store, "uniform", 4.0, noise=0.0)
    add_run(store, "histogram", 3.83)
    add_run(store, "png", 1.72)
    add_run(store, "gated-pixelcnn", 0.943, statistics={"colour_coherence": 0.71})
    add_run(store, "pixelcnn", 0.990, statistics={"colour_coherence": 0.65})
    add_run(store, "gated-no-colour", 1.066, settings={"colour_conditioning": False}, statistics={"colour_coherence": 0.14})
    black: dict[str, float | None] = {"zeros": 1.0, "constant_images": 1.0, "colour_coherence": None}
    leak: dict[str, Any] = {"causal": "leaky", "expect": "leaky", "canvas_agreement": 0.12, "sequential": 9.1}
    add_run(store, "gated-residual", 0.0005, settings={"first_layer": "residual"}, statistics=black, **leak)


def add_digits(store: Path) -> None:
    """A grey task, with a run that failed."""
    add_run(store, "uniform", 4.087, task="digits", noise=0.0)
    add_run(store, "gated-pixelcnn", 1.912, task="digits")
    error = RunError("ValueError", "loss is <inf> | at update 3", ("update 2 loss 4.1", "```", "update 3 loss inf"))
    add_run(store, "pixelcnn", task="digits", status="failed", error=error)


def folder_of(store: Path, record: Record) -> Path:
    """Where a run lies."""
    return run_folder(store, record.spec)


def rewrite(folder: Path, change: Callable[[Record], Record]) -> Record:
    """Changes a record as somebody would who knows the format: its digest is right again."""
    record = change(read_record(folder))
    write_record(folder, record)
    return record


def as_schema_1(folder: Path) -> dict[str, Any]:
    """Puts a record as the first schema wrote it in the place of one: no digest, request, fingerprint nor artifacts; an empty recipe."""
    document = to_document(read_record(folder))
    for name in ("request", "behaviour", "artifacts"):
        del document[name]
    document |= {"schema": 1, "recipe": document["recipe"] or {}}
    (folder / "record.json").write_text(json.dumps(document, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    return document


def estimator_of(spec: RunSpec) -> str:
    """What the family's likelihood is by."""
    if not get_family(spec.family).latent:
        return "exact"
    samples = Evaluation(**spec.evaluation).importance_samples
    return "elbo" if samples == 1 else f"iwae-{samples}"


def nats_around(bits: float, record: Record, noise: float = 0.1, image_seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Nats (N,) float32 of as many images as were asked for, with mean `bits` in bits/dim, and their clusters (N,)."""
    n = _images(record)
    hard = np.random.default_rng(image_seed).normal(0, 0.2, n)
    own = np.random.default_rng(int(record.run_key[:8], 16)).normal(0, noise, n)
    scatter = (hard + own - (hard + own).mean()) * min(1.0, bits)
    nats = (bits + scatter) / bits_per_dim(1.0, record.task.shape)
    return nats.astype(np.float32), np.arange(n) // PER_CLUSTER


def nats_file(nats: np.ndarray, clusters: np.ndarray) -> bytes:
    """`nats.npz`."""
    file = io.BytesIO()
    np.savez(file, nats=nats, clusters=clusters)
    return file.getvalue()


def _causality(status: str, trained_positions: int | None) -> Causality:
    if status == "unchecked":
        return Causality()
    leak, example = (0.5, "output 0 sees sub-pixel 0") if status == "leaky" else (0.0, None)
    return Causality(cast(CausalStatus, status), leak, 1e-10, example, (), trained_positions=trained_positions)


def _images(record: Record) -> int:
    sizes = get_task(record.task.name).sizes if record.task.name in task_names() else None
    whole = IMAGES if sizes is None else sizes[2]
    return min(record.evaluation.test_images or whole, whole)


def _score(
    bits: float, shape: tuple[int, int, int], estimator: str, n: int, clusters: int | None = None, error: float | None = None
) -> Likelihood:
    """`error`: standard error in nats an image."""
    return Likelihood(
        bits_per_dim=bits,
        nats_per_image=float(bits / bits_per_dim(1.0, shape)),
        n_images=n,
        bits_per_dim_se=None if error is None else float(bits_per_dim(error, shape)),
        n_clusters=clusters,
        estimator=estimator,
        validation_bits_per_dim=None if estimator == "code-length" else bits,
    )


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (120, 60), (90, 140, 200)).save(file, "PNG")
    return file.getvalue()


def _curve(bits: float, updates: int) -> bytes:
    rows = ["update,train_bits_per_dim,validation_bits_per_dim"]
    for update in range(0, updates + 1, max(10, updates // 100)):
        value = bits + 3 * np.exp(-update / 60)
        rows.append(f"{update},{value:.4f},{value + 0.02:.4f}" if update % 50 == 0 else f"{update},{value:.4f},")
    return ("\n".join(rows) + "\n").encode()
