"""Fabricated stores: records with their companions, as a run would leave them, in milliseconds and without torch."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelbench.units import bits_per_dim

SETTINGS = {"layers": 3, "maps": 24, "colour_conditioning": True, "first_layer": "causal"}
REAL = {
    "mean_level": 0.41,
    "zeros": 0.10,
    "constant_images": 0.0,
    "spatial_correlation": 0.8,
    "colour_coherence": 0.81,
    "chroma_luma": 0.13,
}
TASKS = {
    "photos": {"channels": 3, "height": 16, "width": 16, "levels": 16},
    "digits": {"channels": 1, "height": 8, "width": 8, "levels": 17},
    "mnist-fixed": {"channels": 1, "height": 28, "width": 28, "levels": 2},
}


def task_section(name: str, digest: str = "d" * 64) -> dict[str, Any]:
    return {"name": name, "digest": digest, "preprocessing": "As shipped.", **TASKS[name]}


def add_run(
    store: Path,
    variant: str,
    bits: float | None = None,
    *,
    task: str = "photos",
    family: str | None = None,
    seed: int = 0,
    budget: str = "quick",
    updates: int = 500,
    settings: dict[str, Any] | None = None,
    causal: str = "complete",
    expect: str = "causal",
    estimator: str = "exact",
    status: str = "done",
    sequential: float | None = None,
    latent: dict[str, Any] | None = None,
    statistics: dict[str, float | None] | None = None,
    canvas_agreement: float = 1.0,
    noise: float = 0.1,
    image_seed: int = 7,
    digest: str = "d" * 64,
    recipe: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One run in a store: likelihoods of 60 images in 12 regions around `bits` bits/dim, `noise` being the run's own part of it."""
    family = family or (variant if variant in ("uniform", "histogram", "png", "webp", "pixelcnn", "gated-pixelcnn") else "gated-pixelcnn")
    section = task_section(task, digest)
    shape = (section["channels"], section["height"], section["width"])
    trained = family in ("pixelcnn", "gated-pixelcnn", "pixelvae")
    grey = dict.fromkeys(("colour_coherence", "chroma_luma")) if shape[0] == 1 else {}
    record: dict[str, Any] = {
        "schema": 1,
        "status": status,
        "task": section,
        "variant": {
            "name": variant,
            "family": family,
            "model_version": 1,
            "settings": {**SETTINGS, **(settings or {})} if trained else {},
        },
        "recipe": {"optimiser": "adamw", "precision": "fp32", **(recipe or {})} if trained else {},
        "budget": {"name": budget, "updates": updates if trained else 0},
        "evaluation": {"test_images": None, "validation_images": None, "samples": 24, "sequential_images": 8, **(evaluation or {})},
        "seed": seed,
        "expect": expect,
        "likelihood": None,
        "sequential": None,
        "latent": latent,
        "causality": {
            "status": causal,
            "largest_leak": 0.5 if causal == "leaky" else 0.0,
            "tolerance": 1e-10,
            "counter_example": "output 0 sees sub-pixel 0" if causal == "leaky" else None,
            "trained_positions": None,
            "faults": [],
            "probes": None,
        },
        "samples": None,
        "diagnoses": [],
        "cost": {
            "seconds": 36.5 if trained else 0.2,
            "train_seconds": 30.0,
            "evaluate_seconds": 6.5,
            "peak_memory_bytes": 10**8,
            "parameters": 81_234 if trained else 0,
            "updates": updates if trained else 0,
            "images_seen": 16_000,
        },
        "provenance": {
            "git_commit": "0123456789abcdef",
            "git_dirty": False,
            "source_digest": "5" * 64,
            "versions": {"python": "3.12.1", "torch": "2.11.0"},
            "device": "cpu",
            "threads": 1,
            "precision": "fp32",
            "deterministic": True,
        },
        "error": error,
    }
    asked = {name: record[name] for name in ("task", "variant", "recipe", "budget", "evaluation", "seed")}
    record["run_key"] = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
    folder = store / task / variant / record["run_key"]
    folder.mkdir(parents=True)
    if bits is not None:
        _score(record, folder, bits, estimator, shape, noise, image_seed)
        if estimator != "code-length":
            record["samples"] = {
                "method": "naive" if causal == "leaky" else "cached",
                "n": 24,
                "statistics": {**REAL, **grey, **(statistics or {})},
                "real": {**REAL, **grey},
                "canvas_agreement": canvas_agreement,
            }
            Image.new("RGB", (120, 60), (90, 140, 200)).save(folder / "samples.png")
        if trained:
            _curve(folder, bits, updates)
    if sequential is not None:
        record["sequential"] = {"bits_per_dim": sequential, "bits_per_dim_se": 0.3, "nats_per_image": sequential * 500, "n_images": 8}
    (folder / "record.json").write_text(json.dumps(record, sort_keys=True, allow_nan=False), encoding="utf-8")
    return record


def add_photos(store: Path) -> None:
    """A photos task with everything the two lessons need."""
    add_run(store, "uniform", 4.0, noise=0.0)
    add_run(store, "histogram", 3.83)
    add_run(store, "png", 1.72, estimator="code-length", causal="unchecked")
    add_run(store, "gated-pixelcnn", 0.943, statistics={"colour_coherence": 0.71})
    add_run(store, "pixelcnn", 0.990, statistics={"colour_coherence": 0.65})
    add_run(store, "gated-no-colour", 1.066, settings={"colour_conditioning": False}, statistics={"colour_coherence": 0.14})
    leak = {"causal": "leaky", "expect": "leaky", "canvas_agreement": 0.12, "sequential": 9.1}
    black: dict[str, float | None] = {"zeros": 1.0, "constant_images": 1.0, "colour_coherence": None}
    add_run(store, "gated-residual", 0.0005, settings={"first_layer": "residual"}, statistics=black, **leak)


def add_digits(store: Path) -> None:
    """A grey task, with a run that failed."""
    add_run(store, "uniform", 4.087, task="digits", noise=0.0)
    add_run(store, "gated-pixelcnn", 1.912, task="digits")
    error = {"type": "ValueError", "message": "loss is <inf> | at update 3", "log": ["update 2 loss 4.1", "```", "update 3 loss inf"]}
    add_run(store, "pixelcnn", task="digits", status="failed", error=error)


def _score(
    record: dict[str, Any], folder: Path, bits: float, estimator: str, shape: tuple[int, int, int], noise: float, image_seed: int
) -> None:
    clusters = np.repeat(np.arange(12), 5)
    hard = np.random.default_rng(image_seed).normal(0, 0.2, 60)  # every model finds the same images hard: that is what pairing takes out
    own = np.random.default_rng(int(record["run_key"][:8], 16)).normal(0, noise, 60)
    scatter = (hard + own - (hard + own).mean()) * min(1.0, bits)
    nats = (bits + scatter) / bits_per_dim(1.0, shape)
    record["likelihood"] = {
        "bits_per_dim": bits,
        "bits_per_dim_se": None if estimator == "code-length" else float(scatter.std() / np.sqrt(12)),
        "nats_per_image": float(nats.mean()),
        "estimator": estimator,
        "n_images": 60,
        "n_clusters": 12,
        "validation_bits_per_dim": bits,
    }
    if estimator != "code-length":
        np.savez(folder / "nats.npz", nats=nats.astype(np.float32), clusters=clusters)


def _curve(folder: Path, bits: float, updates: int) -> None:
    rows = ["update,train_bits_per_dim,validation_bits_per_dim"]
    for update in range(0, updates + 1, 10):
        value = bits + 3 * np.exp(-update / 60)
        rows.append(f"{update},{value:.4f},{value + 0.02:.4f}" if update % 50 == 0 else f"{update},{value:.4f},")
    (folder / "curve.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
