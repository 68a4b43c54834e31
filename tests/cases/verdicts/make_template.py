"""Makes template.json again: python make_template.py, with the Python that pixelbench is installed in.

Three honest-looking records of `pixelcnn` on `mnist-fixed` as the shipped suite `paper` asks for them, with a likelihood inside the
published band. Nothing was trained: they stand for a store that somebody could hand in. They are of schema 1, which has no digest of the
record, so that each case is found by what the record says and not by the digest alone."""

import json
from pathlib import Path

from pixelbench.store.record import Causality, Cost, Likelihood, Provenance, Record, Samples, request_fields
from pixelbench.store.record_file import to_document
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of

SAMPLE = {"chroma_luma": None, "colour_coherence": None, "constant_images": 0.0, "mean_level": 0.13, "spatial_correlation": 0.71, "zeros": 0.87}
NATS = (81.24, 81.31, 81.35)
BITS = 784 * 0.6931471805599453
VERSIONS = {"numpy": "2.4.6", "pillow": "13.0.0", "pixelbench": "0.1.0", "python": "3.11.7", "scikit-image": "0.26.0"}
VERSIONS |= {"scikit-learn": "1.9.1", "torch": "2.13.0", "torchvision": "0.28.0"}
OF_SCHEMA_2 = ("request", "behaviour", "artifacts")


def record(spec, nats):
    images = spec.updates * spec.recipe["batch"]
    made = Record(
        **request_fields(spec),
        status="done",
        likelihood=Likelihood(nats / BITS, nats, 10_000, 25.0 / 100 / BITS, 10_000, "exact", (nats + 0.4) / BITS),
        causality=Causality("complete", 0.0, 1e-10, None, (), "all 784 sub-pixels", 16),
        samples=Samples(SAMPLE, 64, SAMPLE, "cached", 1.0),
        cost=Cost(40_000.0, 39_000.0, 900.0, 4 * 10**9, 1_200_000, spec.updates, images),
        selected_update=spec.updates,
        provenance=Provenance("NVIDIA H100 80GB HBM3", "9" * 64, "0" * 40, False, VERSIONS, 1, "fp32", True),
    )
    document = json.loads(json.dumps(to_document(made)))
    return {name: value for name, value in document.items() if name not in OF_SCHEMA_2} | {"schema": 1}


specs = specs_of(load_suite("paper"), only=["mnist-fixed/pixelcnn"], seeds=[0, 1, 2], budget="paper")
runs = [{"sd": 25.0, "record": record(spec, nats)} for spec, nats in zip(specs, NATS, strict=True)]
Path(__file__).with_name("template.json").write_text(json.dumps({"runs": runs}, indent=1, sort_keys=True) + "\n")
