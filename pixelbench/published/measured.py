"""The runs of one cell as a verdict sees them: which of its seeds decide, what they came to, and the worst that is known of any of them."""

from collections.abc import Callable
from typing import Any, TypeGuard

from pixelbench.causality.probing.positions import TRAINED_POSITIONS
from pixelbench.data import named_task
from pixelbench.published.comparability import Measured, seed_list
from pixelbench.published.rows import SuiteRow
from pixelbench.store.cells import CERTAINTY, Run
from pixelbench.store.tidy_row import tidy_row
from pixelbench.suites.schema import FEWEST_SEEDS
from pixelbench.units import bits_per_dim

#: The unit of a figure → the column of a frame.
_UNITS = {"bits/dim": "bits_per_dim", "nats/image": "nats_per_image"}
_NUMBERS = ("bits_per_dim", "nats_per_image", "n_images")
#: More than these tell a reader nothing more.
_MOST_DIFFERENCES = 6

#: In what a run differs from the suite's row of its name, where that is known.
Differences = Callable[[SuiteRow], list[str]]


def as_row(run: Run) -> dict[str, Any]:
    """A run as a row of the frame, with the updates that it was asked for: those of a cell are the same, however its runs ended."""
    return {**tidy_row(run.stored), "updates": run.updates}


def measured_of(
    rows: list[dict[str, Any]], unit: str, row: SuiteRow | None, differences: Differences, *, on_validation: bool = False
) -> Measured:
    """The runs of one cell, in the figure's unit where the records have it, else in bits/dim.

    The seeds that the row says decide, those alone, whatever else is stored; of a cell that is no row of a suite all of them, where there
    are as many as a suite may ask for.
    `on_validation`: by their scores on the task's validation images, not on its test images.
    """
    wanted = row.verdict_seeds if row else max(FEWEST_SEEDS, len({entry["seed"] for entry in rows}))
    deciding = set(range(wanted)) if row else {entry["seed"] for entry in rows}
    chosen = [entry for entry in _one_a_seed(rows) if entry["seed"] in deciding]
    chosen = [_by_validation(entry) for entry in chosen] if on_validation else chosen
    scored = [entry for entry in chosen if _is_scored(entry)]
    own, name = unit if unit in _UNITS else "bits/dim", rows[0]["task"]
    task = named_task(name)
    statuses = {entry["causal"] for entry in rows if entry["causal"] == "leaky"} | {entry["causal"] for entry in scored or rows}
    probed = [int(entry["trained_positions"]) for entry in scored if _is_number(entry.get("trained_positions"))]
    other_row, budget = _of_row(rows[0], row, differences)
    return Measured(
        values=tuple(float(entry[_UNITS[own]]) for entry in scored),
        unit=own,
        estimator=_estimator(scored),
        split=_validation_split(scored) if on_validation else "test" if task is None else task.published_split,
        task=name,
        n_images=min((int(entry["n_images"]) for entry in scored), default=0),
        limited=any(_is_number(entry.get("test_images")) and entry["n_images"] >= entry["test_images"] for entry in scored),
        budget=budget,
        causality=next((status for status in CERTAINTY if status in statuses), "unchecked"),
        probed=min(probed) if probed and len(probed) == len(scored) else None,
        binarisation=None if task is None else task.binarisation,
        conditional=any((entry.get("condition") or "none") != "none" for entry in rows),
        consistent=all(_is_consistent(entry) for entry in scored),
        updates=int(rows[0]["updates"]),
        whole_budget=row.whole_budget if row else budget,
        wanted=wanted,
        seeds=tuple(entry["seed"] for entry in scored),
        lacking=tuple(_lacking(rows, chosen, deciding)),
        diverged=tuple(entry["seed"] for entry in chosen if entry["status"] == "diverged"),
        published_images=None if task is None or on_validation else task.published_images,
        required_positions=min([TRAINED_POSITIONS, *(_dimensions(entry) for entry in scored)]),
        other_row=tuple(other_row),
        remarks=(*_remarks(rows, scored, deciding), *(_other_images(scored) if on_validation else [])),
    )


def _by_validation(entry: dict[str, Any]) -> dict[str, Any]:
    """A run as if its validation images were what it was tested on."""
    bits, tested = entry.get("validation_bits_per_dim"), entry["bits_per_dim"]
    found = {"bits_per_dim": None, "nats_per_image": None}
    if _is_number(bits) and tested:
        found = {"bits_per_dim": bits, "nats_per_image": bits * entry["nats_per_image"] / tested}
    return entry | {
        **found,
        "bits_per_dim_se": _expected_error(entry),
        "n_images": _validation_images(entry),
        "test_images": entry.get("validation_images"),
    }


def _validation_images(entry: dict[str, Any]) -> int:
    """How many of them were scored; 0 where nobody knows how many there are."""
    task, most = named_task(entry["task"]), entry.get("validation_images")
    held_out = task.sizes[1] if task is not None and task.sizes is not None else 0
    return min(held_out, int(most)) if _is_number(most) else held_out


def _expected_error(entry: dict[str, Any]) -> float | None:
    """Standard error of the mean over so many validation images, were they spread as the test images are; no record has their own."""
    of_test, images = entry.get("bits_per_dim_se"), _validation_images(entry)
    return of_test * (entry["n_images"] / images) ** 0.5 if _is_number(of_test) and images else None


def _validation_split(scored: list[dict[str, Any]]) -> str:
    """`validation`, or that the scored weights were selected by these images."""
    selected = any(_is_number(entry.get("selected_update")) for entry in scored)
    return "selected by these validation images" if selected else "validation"


def _other_images(scored: list[dict[str, Any]]) -> list[str]:
    """A sentence on what the paper's own validation images may come to, which nobody need have."""
    errors = [entry["bits_per_dim_se"] for entry in scored if entry["bits_per_dim_se"] is not None]
    if not errors:
        return []
    images, error = min(entry["n_images"] for entry in scored), max(errors)
    return [
        f"Held against our own {images:,} validation images, which need not be the paper's: "
        f"other {images:,} would move the mean by about {error:.3f} bits/dim (one standard error)."
    ]


def _one_a_seed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a seed, in their order: a frame may hold a run several times."""
    return [next(row for row in rows if row["seed"] == seed) for seed in sorted({row["seed"] for row in rows})]


def _is_scored(row: dict[str, Any]) -> bool:
    """Whether it came to its end with a likelihood that says all of what it is; a frame may hold half of one."""
    whole = all(_is_number(row[name]) for name in _NUMBERS) and isinstance(row["estimator"], str)
    return row["status"] == "done" and whole and not row.get("doubts")


def _of_row(entry: dict[str, Any], row: SuiteRow | None, differences: Differences) -> tuple[list[str], str]:
    """Why the cell is not the suite's row, and the budget of the suite that it is."""
    if row is None:
        return [], entry["budget"]
    limit = int(entry["test_images"]) if _is_number(entry.get("test_images")) else None
    budget = row.budget_of(entry["cell"], limit) if entry.get("cell") else None
    if budget is None:
        said = ", ".join(differences(row)[:_MOST_DIFFERENCES])
        return [f"not the row of suite {row.suite.name}{f': {said}' if said else ''}"], entry["budget"]
    return (["its suite declares that it leaks"] if entry["expect"] == "leaky" else []), budget


def _estimator(scored: list[dict[str, Any]]) -> str:
    """Of all runs; of several the words for that, which are no estimator that a figure can have."""
    found = sorted({entry["estimator"] for entry in scored})
    return found[0] if len(found) == 1 else " and ".join(found)


def _lacking(rows: list[dict[str, Any]], chosen: list[dict[str, Any]], deciding: set[int]) -> list[str]:
    """Why seeds that decide have no number."""
    stored = {entry["seed"] for entry in chosen}
    absent = deciding - stored
    said = [f"{seed_list(absent)} not stored"] if absent else []
    for entry in chosen:
        if entry.get("doubts"):
            said.append(f"seed {entry['seed']} does not add up")
        elif not _is_scored(entry) and entry["status"] != "diverged":
            said.append(f"seed {entry['seed']} {'has no number' if entry['status'] == 'done' else entry['status']}")
    for seed in sorted(stored):
        if len({(entry.get("run_key"), entry["status"], entry["bits_per_dim"]) for entry in rows if entry["seed"] == seed}) > 1:
            said.append(f"there are several runs of seed {seed}")
    codes = {entry.get("code") for entry in chosen}
    if len(codes) > 1:
        said.append(f"the seeds were made by {len(codes)} different codes")
    return said


def _remarks(rows: list[dict[str, Any]], scored: list[dict[str, Any]], deciding: set[int]) -> list[str]:
    later = sorted({entry["seed"] for entry in rows} - deciding)
    found = [f"Also stored, and not part of the verdict: {seed_list(later)}."] if later else []
    versions = sorted({entry["torch"] for entry in scored if entry.get("torch")})
    return found + ([f"Made with several versions of torch: {', '.join(versions)}."] if len(versions) > 1 else [])


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_consistent(row: dict[str, Any]) -> bool:
    """Whether nats and bits/dim are one number: together they say how many sub-pixels an image has, which is a whole number."""
    bits, nats = row["bits_per_dim"], row["nats_per_image"]
    if not bits:
        return not nats
    dimensions = bits_per_dim(nats, (1,)) / bits
    return dimensions >= 0.5 and abs(dimensions - round(dimensions)) < 1e-5 * dimensions


def _dimensions(row: dict[str, Any]) -> int:
    """Sub-pixels of an image, by the two units of its likelihood."""
    return max(1, round(bits_per_dim(row["nats_per_image"], (1,)) / row["bits_per_dim"])) if row["bits_per_dim"] else TRAINED_POSITIONS
