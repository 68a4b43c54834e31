"""A spec and the record it could have left."""

from typing import Any

from pixelbench.store.record import spec_fields
from pixelbench.store.spec import RunSpec


def make_spec(**changes: Any) -> RunSpec:
    values: dict[str, Any] = {
        "task": {"name": "digits", "digest": "ab" * 32, "preprocessing": "none", "channels": 1, "height": 8, "width": 8, "levels": 17},
        "variant": "gated-pixelcnn",
        "family": "gated-pixelcnn",
        "model_version": 1,
        "settings": {"layers": 3, "maps": 24, "colour_conditioning": True},
        "recipe": {"optimiser": "adamw", "learning_rate": 0.004, "precision": "fp32"},
        "budget": "cpu",
        "updates": 400,
        "evaluation": {"test_images": None, "validation_images": None, "samples": 16, "sequential_images": 8},
        "seed": 0,
    }
    return RunSpec(**{**values, **changes})


def make_record(spec: RunSpec, **changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        **spec_fields(spec),
        "status": "done",
        "likelihood": {
            "bits_per_dim": 1.9,
            "bits_per_dim_se": 0.01,
            "nats_per_image": 84.3,
            "estimator": "exact",
            "n_images": 360,
            "n_clusters": 360,
            "validation_bits_per_dim": 1.95,
        },
        "sequential": None,
        "latent": None,
        "causality": {
            "status": "complete",
            "largest_leak": 0.0,
            "tolerance": 1e-9,
            "counter_example": None,
            "trained_positions": None,
            "faults": [],
            "probes": None,
        },
        "samples": {
            "method": "cached",
            "n": 16,
            "statistics": {"zeros": 0.4, "constant_images": 0.0, "colour_coherence": None},
            "real": {},
            "canvas_agreement": 1.0,
        },
        "diagnoses": [{"name": "black-samples", "sentence": "s"}, {"name": "uncoordinated-colours", "sentence": "s"}],
        "cost": {
            "seconds": 12.5,
            "train_seconds": 10.0,
            "evaluate_seconds": 2.0,
            "peak_memory_bytes": 10**8,
            "parameters": 31000,
            "updates": 400,
            "images_seen": 25600,
        },
        "provenance": {
            "git_commit": None,
            "git_dirty": None,
            "source_digest": "cd" * 32,
            "versions": {},
            "device": "cpu",
            "threads": 1,
            "precision": "fp32",
            "deterministic": True,
        },
        "error": None,
    }
    return {**record, **changes}
