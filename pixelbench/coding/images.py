"""Images to one stream and back, sub-pixel by sub-pixel in the model's order; all images of a batch at each sub-pixel."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelbench.coding.prediction import Claimed, Method, Place, predict
from pixelbench.coding.stream import InvalidStreamError, Reader, Writer
from pixelbench.coding.tables import counts_of
from pixelbench.errors import UserError
from pixelbench.levels import integers_for
from pixelbench.models.base import AutoregressiveModel
from pixelbench.units import nats_to_bits

#: Takes how many sub-pixels of a batch are done, and how many there are in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Stream:
    """Coded images. `ideal_bits`: -log2 of the probability that the same tables give them before they are made whole numbers."""

    blob: bytes
    ideal_bits: float


@dataclass(frozen=True)
class Difference:
    """The first sub-pixel, in the order of coding, at which two sets of images differ."""

    image: int
    row: int
    column: int
    colour: int
    coded: int
    decoded: int

    @property
    def sentence(self) -> str:
        """`image 3, row 0, column 1, colour 0: 12 was coded, 0 decoded`"""
        where = f"image {self.image}, row {self.row}, column {self.column}, colour {self.colour}"
        return f"{where}: {self.coded} was coded, {self.decoded} decoded"


def ready(model: AutoregressiveModel) -> AutoregressiveModel:
    """The model as both sides use it: in place, float64 and eval mode."""
    return model.double().eval()


@torch.inference_mode()
def encode(
    model: AutoregressiveModel,
    images: Tensor,
    condition: Tensor | None = None,
    *,
    method: Method,
    batch: int,
    claimed: bool = False,
    progress: Progress = lambda done, total: None,
) -> Stream:
    """Code integer images (N, C, H, W) by the probabilities of a model that is `ready`.

    Args:
        model: any family with an exact likelihood.
        images: what is coded.
        condition: (N, …) for a model that needs it; the decoder must have it too.
        method: how the decoder will predict.
        batch: images at a time, as the decoder will have them.
        claimed: take the probabilities of whole images instead, as no decoder can.
        progress: see `Progress`.

    Raises:
        UserError: the model gives no probabilities.
    """
    writer, nats = Writer(), 0.0
    for part, given, advance in _batches(model, len(images), batch, condition, progress):
        coded = images[part].to(model.device)
        prediction = Claimed(model, coded, given) if claimed else predict(model, method, len(coded), given)
        for place in model.order():
            row, column, colour = place
            values = coded[:, colour, row, column]
            logits = prediction.logits(place)
            writer.put(values.cpu().numpy(), _counts(logits, place))
            nats -= float(logits.double().log_softmax(1).gather(1, values.long()[:, None]).sum())
            prediction.put(place, values)
            advance()
    return Stream(writer.to_bytes(), nats_to_bits(nats))


@torch.inference_mode()
def decode(
    model: AutoregressiveModel,
    blob: bytes,
    n: int,
    condition: Tensor | None = None,
    *,
    method: Method,
    batch: int,
    progress: Progress = lambda done, total: None,
) -> np.ndarray:
    """The images (n, C, H, W) of a stream; arguments as they were for `encode`.

    Where the stream contradicts the model's tables, which it does only with other tables than it was coded by, the rest stays 0: whether
    the images are right, their checksum says.
    """
    images = np.zeros((n, *model.shape), integers_for(model.levels))
    try:
        reader = Reader(blob)
    except InvalidStreamError:
        return images
    for part, given, advance in _batches(model, n, batch, condition, progress):
        count = part.stop - part.start
        prediction = predict(model, method, count, given)
        for place in model.order():
            row, column, colour = place
            counts = _counts(prediction.logits(place), place)
            try:
                symbols = reader.take(counts)
            except InvalidStreamError:
                return images
            images[part, colour, row, column] = symbols
            prediction.put(place, torch.from_numpy(images[part, colour, row, column]).to(model.device))
            advance()
    return images


def encode_labels(labels: np.ndarray, classes: int) -> bytes:
    """Class labels (N,) by the uniform distribution: side information that a conditional model's decoder needs."""
    writer = Writer()
    writer.put(labels, _uniform(len(labels), classes))
    return writer.to_bytes()


def decode_labels(blob: bytes, n: int, classes: int) -> np.ndarray:
    """The inverse of `encode_labels`: (n,) int64; all 0 of a stream that is none."""
    try:
        return Reader(blob).take(_uniform(n, classes))
    except InvalidStreamError:
        return np.zeros(n, np.int64)


def first_difference(model: AutoregressiveModel, batch: int, coded: np.ndarray, decoded: np.ndarray) -> Difference | None:
    """Where images (N, C, H, W) begin to differ, in the order in which they are coded in batches; None where they are equal."""
    for first in range(0, len(coded), batch):
        part = slice(first, first + batch)
        for row, column, colour in model.order():
            wrong = np.flatnonzero(coded[part, colour, row, column] != decoded[part, colour, row, column])
            if len(wrong):
                image = first + int(wrong[0])
                values = (int(images[image, colour, row, column]) for images in (coded, decoded))
                return Difference(image, row, column, colour, *values)
    return None


def _batches(
    model: AutoregressiveModel, n: int, batch: int, condition: Tensor | None, progress: Progress
) -> Iterator[tuple[slice, Tensor | None, Callable[[], None]]]:
    """Slices of at most `batch` images, the condition of each, and what is to be called at each of its sub-pixels."""
    total, done = math.ceil(n / batch) * math.prod(model.shape), 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    for first in range(0, n, batch):
        part = slice(first, min(n, first + batch))
        yield part, None if condition is None else condition[part].to(model.device), advance


def _counts(logits: Tensor, place: Place) -> np.ndarray:
    """(B, levels) logits of a place → counts."""
    probabilities = torch.softmax(logits.double(), 1).cpu().numpy()
    if not np.isfinite(probabilities).all():
        row, column, colour = place
        raise UserError(f"The model gives no probabilities (NaN) at row {row}, column {column}, colour {colour}, so nothing can be coded.")
    return counts_of(probabilities)


def _uniform(n: int, classes: int) -> np.ndarray:
    return counts_of(np.full((n, classes), 1 / classes))
