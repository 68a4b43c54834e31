"""What is wrong with samples, by name, from their measures beside floor and controls."""

from collections.abc import Mapping

from pixelbench.evaluation.diagnosis import SampleDiagnosis
from pixelbench.evaluation.measures.registry import ERRORS, MEASURES, Control, Value, separates

#: Below this part of the floor, and by more than the errors, samples are copies or repeat each other. Real images: measured 0.8 to 1.2.
_FAR_BELOW = 0.5
#: Samples are noise where they keep at most this part of the way from independent pixels to real images.
_HARDLY_BETTER = 0.1

Values = Mapping[str, Value]


def name_failures(samples: Values, floor: Values, controls: Mapping[Control, Values]) -> list[SampleDiagnosis]:
    """Call samples memorised, collapsed or noise, where their measures say so.

    Args:
        samples: measured values by the name of the measure.
        floor: the same of real images.
        controls: the same of images that are wrong in a known way.

    Returns:
        `memorised-samples`: copies of training images. `collapsed-samples`: they repeat each other. `noise-samples`: they vary, and are
        hardly nearer to real images than pixels that are drawn without each other. A measure that does not tell its control from real
        images says nothing.
    """
    tried = {name for name in samples if _tried(name, floor, controls)}
    found = [_memorised(samples, floor, tried), _collapsed(samples, floor, tried)]
    if not any(found):
        found.append(_noise(samples, floor, controls.get("independent-pixels", {}), tried))
    return [one for one in found if one is not None]


def _tried(name: str, floor: Values, controls: Mapping[Control, Values]) -> bool:
    measure = MEASURES.get(name)
    if measure is None:
        return False
    control = controls.get(measure.control, {})
    return name in floor and name in control and separates(measure, floor[name], control[name])


def _memorised(samples: Values, floor: Values, tried: set[str]) -> SampleDiagnosis | None:
    if "memorisation" not in tried or not _far_below(samples["memorisation"], floor["memorisation"]):
        return None
    ratio, real = samples["memorisation"].value, floor["memorisation"].value
    said = (
        f"samples are copies of training images (distance to the nearest, relative to held-out ones, {ratio:.2f}; real images {real:.2f})"
    )
    return SampleDiagnosis("memorised-samples", said)


def _collapsed(samples: Values, floor: Values, tried: set[str]) -> SampleDiagnosis | None:
    if "spacing" not in tried or not _far_below(samples["spacing"], floor["spacing"]):
        return None
    said = f"samples repeat each other (distance to the nearest other sample {samples['spacing'].value:.2f} of that of real images)"
    return SampleDiagnosis("collapsed-samples", said)


def _noise(samples: Values, floor: Values, control: Values, tried: set[str]) -> SampleDiagnosis | None:
    """By coverage and by the spectrum: one alone is lost by a model that is merely bad, or that draws the right texture and no shapes."""
    if not {"coverage", "spectrum"} <= tried:
        return None
    kept = {name: _kept(samples[name], floor[name], control[name]) for name in ("coverage", "spectrum")}
    if any(share is None or share > _HARDLY_BETTER for share in kept.values()):
        return None
    coverage, real = samples["coverage"].value, floor["coverage"].value
    far, noise = samples["spectrum"].value, control["spectrum"].value
    said = (
        f"samples are no nearer to real images than independent pixels (coverage {coverage:.2f}, real images {real:.2f}; "
        f"spectrum {far:.1f} dB away, independent pixels {noise:.1f})"
    )
    return SampleDiagnosis("noise-samples", said)


def _far_below(value: Value, floor: Value) -> bool:
    beyond = value.beyond(floor)
    return beyond is not None and beyond < -ERRORS and (value.value or 0.0) < _FAR_BELOW * (floor.value or 0.0)


def _kept(value: Value, floor: Value, control: Value) -> float | None:
    """How far a value is on the way from the control (0) to the floor (1)."""
    if value.value is None or floor.value is None or control.value is None or floor.value == control.value:
        return None
    return (value.value - control.value) / (floor.value - control.value)
