"""Features, FID and IS of Inception V3, with weights that the user has: nothing is downloaded, and only the standard ones give these names.

The network and the formulas are torch-fidelity's (the extra `fidelity`); Heusel et al. 2017 (FID), Salimans et al. 2016 (IS). The standard
weights are those of 2015-12-05, as torch-fidelity and pytorch-fid publish them: another file, however it is called, gives numbers that bear
its digest in their names and are held against nothing.
"""

import hashlib
import importlib
import io
import os
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from pixelbench.data.sources.vision import torchvision
from pixelbench.errors import UserError, first_line
from pixelbench.evaluation.features import AboutImages, FeatureSet

VARIABLE = "PIXELBENCH_INCEPTION"
#: SHA-256 of `weights-inception-2015-12-05-6726825d.pth` of torch-fidelity, which is pytorch-fid's `pt_inception-2015-12-05-6726825d.pth`.
STANDARD = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
DIMENSION = 2048
#: Into so many parts the samples are divided for IS (Salimans et al. 2016); the error is over them.
SPLITS = 10
_POOLED, _LOGITS = "2048", "logits_unbiased"
_CHUNK = 32


@dataclass(frozen=True)
class SampleScore:
    """A number of samples in features of Inception."""

    name: str
    """`FID` and `IS` with the standard weights only; otherwise what it is, and the digest of the weights."""
    value: float
    error: float | None
    """Of IS: the standard deviation over its parts, as papers print it."""
    n: int
    """Samples."""
    n_real: int | None
    """Real images that they were held against; IS has none."""
    features: str
    """Name of the feature set."""
    digest: str
    """SHA-256 of the weights."""

    @property
    def standard(self) -> bool:
        """Whether the features are those of published numbers."""
        return self.digest == STANDARD


def use_inception_weights(path: Path | None) -> None:
    """Make a file the weights of this process; None changes nothing."""
    if path is not None:
        os.environ[VARIABLE] = str(path.absolute())


def inception_features(task: AboutImages) -> FeatureSet:
    """The 2,048 pooled features of Inception V3: `inception` with the standard weights, else `inception-DIGEST`.

    Raises:
        UserError: torch-fidelity is not installed, no weights are named, or they are not this network's.
    """
    net, digest = _network()
    return FeatureSet(features_name(digest), DIMENSION, digest, lambda images, levels: _extracted(net, _POOLED, images, levels).numpy())


def features_name(digest: str) -> str:
    """`inception`, or `inception-01234567` of other weights than the standard ones."""
    return "inception" if digest == STANDARD else f"inception-{digest[:8]}"


def frechet_distance(samples: np.ndarray, real: np.ndarray, levels: int) -> SampleScore:
    """The Fréchet distance of two sets of images (N, C, H, W): FID with the standard weights.

    Biased: it grows as n falls. Papers take 50,000 samples.

    Raises:
        UserError: as `inception_features`, or fewer than two images.
    """
    fid = _torch_fidelity("metric_fid")
    net, digest = _network()
    if min(len(samples), len(real)) < 2:
        raise UserError("A Fréchet distance needs two samples and two real images at least.")
    moments = [fid.fid_features_to_statistics(_extracted(net, _POOLED, images, levels)) for images in (samples, real)]
    value = fid.fid_statistics_to_metric(*moments, verbose=False)[fid.KEY_METRIC_FID]
    return SampleScore(_named("FID", "Fréchet distance", digest), value, None, len(samples), len(real), features_name(digest), digest)


def inception_score(samples: np.ndarray, levels: int) -> SampleScore:
    """exp of the mean divergence of each image's classes from the mean of all, over ten parts: IS with the standard weights.

    Raises:
        UserError: as `inception_features`, or fewer images than parts.
    """
    isc = _torch_fidelity("metric_isc")
    net, digest = _network()
    if len(samples) < SPLITS:
        raise UserError(f"IS divides the samples into {SPLITS} parts, so it needs {SPLITS} at least; got {len(samples)}.")
    found = isc.isc_features_to_metric(_extracted(net, _LOGITS, samples, levels), SPLITS)
    name = _named("IS", "class score", digest)
    return SampleScore(
        name, found[isc.KEY_METRIC_ISC_MEAN], found[isc.KEY_METRIC_ISC_STD], len(samples), None, features_name(digest), digest
    )


def _named(standard: str, other: str, digest: str) -> str:
    return standard if digest == STANDARD else f"{other}/{features_name(digest)}"


@torch.inference_mode()
def _extracted(net: Callable[[Tensor], tuple[Tensor, ...]], layer: str, images: np.ndarray, levels: int) -> Tensor:
    """(N, features) float32 of one layer; grey images are shown to the network in three equal channels."""
    place = (_POOLED, _LOGITS).index(layer)
    chunks = (torch.from_numpy(_as_bytes(images[first : first + _CHUNK], levels)) for first in range(0, len(images), _CHUNK))
    return torch.cat([net(chunk)[place] for chunk in chunks])


def _as_bytes(images: np.ndarray, levels: int) -> np.ndarray:
    """0 … levels-1 → uint8 0 … 255 in three channels."""
    shown = np.round(images.astype(np.float64) * (255 / (levels - 1))).astype(np.uint8)
    return shown.repeat(3 // shown.shape[1], 1)


def _network() -> tuple[Any, str]:
    """The network in eval mode, and the SHA-256 of its weights."""
    named = os.environ.get(VARIABLE)
    if not named:
        raise UserError(f"Inception's weights are not shipped and not downloaded; name a file that you have by {VARIABLE}=FILE.")
    path = Path(named)
    try:
        return _loaded(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise UserError(f"The weights '{path}' cannot be read ({error.strerror}).") from None


@cache
def _loaded(path: Path, changed: int) -> tuple[Any, str]:
    extractor = _torch_fidelity("feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    content = path.read_bytes()
    # torch-fidelity unpickles the file it is given, so it gets one that was written here from the tensors alone.
    tensors_only = io.BytesIO()
    torch.save(_tensors(path, content), tensors_only)
    tensors_only.seek(0)
    try:
        net = extractor("inception", [_POOLED, _LOGITS], feature_extractor_weights_path=tensors_only)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise UserError(f"'{path}' is not a state dict of torch-fidelity's Inception V3: {first_line(error)}.") from None
    return net, hashlib.sha256(content).hexdigest()


def _torch_fidelity(module: str) -> ModuleType:
    try:
        torchvision()  # torch-fidelity imports it, which without this fails where PyTorch has no GPU code
        return importlib.import_module(f"torch_fidelity.{module}")
    except ImportError:
        raise UserError("FID, IS and features of Inception need torch-fidelity; run `pip install 'pixelbench[fidelity]'`.") from None


def _tensors(path: Path, content: bytes) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(content)
        with warnings.catch_warnings(action="ignore"):  # of a pickle that torch did not write, which is refused anyway
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(f"'{path}' cannot be read as tensors: {first_line(error)}.") from None
