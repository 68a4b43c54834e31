"""All runs of a store, tolerant of damage: what cannot be read or does not add up is named, never fatal and never deleted."""

import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pixelbench.data import has_units, relabel
from pixelbench.errors import UserError, nearest
from pixelbench.files.bulk import without_collector
from pixelbench.statistics import clustered_standard_error
from pixelbench.store.artifacts import NAMES, NATS, FileSummary, read_nats
from pixelbench.store.cache import StoreCache
from pixelbench.store.documents.measurements import QUALITY, Measurement
from pixelbench.store.documents.proofs import PROOF, Proof, differs_from
from pixelbench.store.integrity import examine
from pixelbench.store.record import Record
from pixelbench.store.record_file import RecordError
from pixelbench.units import bits_per_dim

#: Relative difference of two likelihoods that rounding may make.
_SAME = 1e-6


@dataclass(frozen=True)
class StoredRun:
    """A run that has ended: its folder and its record, and after `Scan.examine` what does not add up."""

    folder: Path
    record: Record
    doubts: tuple[str, ...] = ()
    """Why it is not ranked, compared or judged: a reason each. Empty where it adds up."""
    damaged: Mapping[str, str] = field(default_factory=dict[str, str])
    """File name → why that file is not used."""
    proof: Proof | None = None
    """Test images that were really coded, where that was done, is whole and of this run."""
    measured: tuple[Measurement, ...] = ()
    """Measurements of its samples, where there are any, whole and of this run."""

    def artifact(self, name: str) -> Path | None:
        """One of its files, where it is there and whole."""
        path = self.folder / name
        return path if name not in self.damaged and path.is_file() else None

    def nats(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Per test image: negative log-likelihood in nats (N,) float64, and the independent unit that it comes from (N,). None where not
        kept, or damaged."""
        path = self.artifact(NATS)
        try:
            return None if path is None else _by_unit(self.record, *read_nats(path))
        except (OSError, ValueError):
            return None


class Scan(dict[str, StoredRun]):
    """Run key → stored run. `problems`: a sentence for each record of no use, and after `examine` for all that does not add up."""

    def __init__(self, store: Path, *, cached: bool = True) -> None:
        super().__init__()
        self.store, self.cache = store, StoreCache(store, reading=cached)
        self.problems: list[str] = []
        self.unusable: dict[Path, bool] = {}
        """Folder of a record of no use → whether a newer version wrote it."""
        self.disputed: dict[str, str] = {}
        """Key of a run that lies in two folders with two numbers → what is said of it."""

    def examine(self, keys: Collection[str] | None = None, *, names: Collection[str] = NAMES) -> "Scan":
        """Hold the runs (or those of `keys`) against their own evidence: a few milliseconds a run, less where its files did not change.

        Args:
            keys: only these runs.
            names: look at these files only; those that a run's number rests on are `EVIDENCE`.
        """
        with without_collector():
            self._examine([key for key in self if keys is None or key in keys], names)
        self.cache.save()
        return self

    def _examine(self, chosen: list[str], names: Collection[str]) -> None:
        nats: dict[tuple[str, str], list[str]] = {}
        for key in chosen:
            run = self[key]
            summaries = self.cache.summaries(run.folder, names)
            found = examine(run.record, summaries)
            disputed = (self.disputed[key],) if key in self.disputed else ()
            self[key] = replace(run, doubts=(*found.doubts, *disputed), damaged=found.damaged)
            self._take_proof(key, summaries.get(PROOF))
            self._take_measurements(key, summaries.get(QUALITY))
            if run.record.trained and not run.record.leaky and (values := _values(summaries[NATS])):
                nats.setdefault((run.record.task.digest, values), []).append(key)
        for keys_of_one in nats.values():
            self._doubt_copies(keys_of_one)
        for key in chosen:
            self.problems += _problems(self[key])
            self[key] = replace(self[key], record=_with_unit_error(self[key]))

    def _take_proof(self, key: str, summary: FileSummary | None) -> None:
        """A run's proof, unless it says something else of the images than the nats that the run left."""
        run = self[key]
        if summary is None or summary.proof is None or PROOF in run.damaged:
            return
        nats = run.nats()
        if nats is not None and (said := differs_from(summary.proof, nats[0])):
            self[key] = replace(run, damaged={**run.damaged, PROOF: said})
        elif not run.doubts:
            self[key] = replace(run, proof=summary.proof)

    def _take_measurements(self, key: str, summary: FileSummary | None) -> None:
        run = self[key]
        if summary is not None and summary.quality is not None and QUALITY not in run.damaged and not run.doubts:
            self[key] = replace(run, measured=summary.quality.measured)

    def _doubt_copies(self, keys: list[str]) -> None:
        """Two trainings from different seeds never give the same bits: all but one of such runs are copies, and nobody knows which."""
        seeds = {self[key].record.seed for key in keys}
        if len(seeds) > 1:
            said = f"seeds {', '.join(map(str, sorted(seeds)))} have the same nats to the last bit, so they are copies of one run"
            for key in keys:
                self[key] = replace(self[key], doubts=(*self[key].doubts, said))


def scan(store: Path, *, cached: bool = True) -> Scan:
    """Read every `<store>/<task>/<variant>/<run key>/record.json`. A store that does not exist yet is empty.

    `cached`: of files whose size and time stand, what was found before is believed.

    Raises:
        UserError: `store` is a file, or cannot be listed.
    """
    found = Scan(store, cached=cached)
    with without_collector():
        for folder in _run_folders(store, found.problems):
            _read_into(found, folder)
    return found


def _read_into(found: Scan, folder: Path) -> None:
    try:
        record = found.cache.record(folder)
    except FileNotFoundError:
        return  # under way, or killed before it ended
    except RecordError as problem:
        found.problems.append(str(problem))
        found.unusable[folder] = problem.newer
        return
    twin = found.get(record.run_key)
    if twin is None:
        found[record.run_key] = StoredRun(folder, record)
        return
    found.problems.append(f"{folder} holds the same run as {twin.folder}, which is used; move one of them away.")
    if _contradict(twin.record, record):
        found.disputed[record.run_key] = f"{folder} holds the same run with another number, and nobody knows which is right"


def _contradict(one: Record, other: Record) -> bool:
    """Whether both ended with a likelihood, and not with the same one; whoever names the folders must not choose."""
    if one.status != "done" or other.status != "done" or one.likelihood is None or other.likelihood is None:
        return False
    return not math.isclose(one.likelihood.nats_per_image, other.likelihood.nats_per_image, rel_tol=_SAME)


def require_store(path: Path) -> Path:
    """`path`, if there is a folder to read results from.

    Raises:
        UserError: no such folder (names the nearest one beside it), or a file.
    """
    if path.is_dir():
        return path
    if path.exists():
        raise UserError(f"Results folder '{path}' is a file; name a folder with --results DIR.")
    beside = [p.name for p in path.parent.iterdir() if p.is_dir()] if path.parent.is_dir() else []
    near = nearest(path.name, beside)
    hint = f" Did you mean '{path.with_name(near)}'?" if near else " Execute some with `pixelbench run --suite quick --results DIR`."
    raise UserError(f"There is no results folder '{path}'.{hint}")


def _run_folders(store: Path, problems: list[str]) -> Iterator[Path]:
    """The folders three levels down, in order of name. `work` is nobody's task: locks live there."""
    try:
        tasks = _folders(store, problems)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UserError(f"Results folder '{store}' is a file; name a folder with --results DIR.") from None
    except OSError as error:
        raise UserError(f"Results folder '{store}' cannot be read ({error.strerror}); fix its permissions or name another.") from None
    for task in tasks:
        try:
            if task.name != "work":
                yield from (run for variant in _folders(task, problems) for run in _folders(variant, problems))
        except OSError as error:
            problems.append(f"'{task}' cannot be read ({error.strerror}); fix its permissions.")


def _folders(parent: Path, problems: list[str]) -> list[Path]:
    """In order of name; what cannot be looked at, such as a link to itself, is named."""
    with os.scandir(parent) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry, problems))
    return [parent / name for name in names]


def _is_folder(entry: "os.DirEntry[str]", problems: list[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        problems.append(f"'{entry.path}' cannot be read ({error.strerror}); fix it or move it away.")
        return False


def _problems(run: StoredRun) -> Iterator[str]:
    """A sentence for the record, and one for each damaged file."""
    if run.doubts:
        yield f"{run.folder / 'record.json'} does not add up, so it is not ranked, compared or judged: {'; '.join(run.doubts)}."
    for name, said in run.damaged.items():
        if name != NATS or not run.doubts:  # damaged nats are a doubt already
            yield f"{run.folder / name} {said}; it is left out."


def _values(summaries: FileSummary | None) -> str | None:
    return summaries.nats.values if summaries is not None and summaries.nats is not None else None


def _by_unit(record: Record, nats: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Records of schema 1 kept the cluster by which images were dealt out; what is independent can be larger: a photograph."""
    return nats, relabel(record.task.name, clusters) if record.schema == 1 else clusters


def _with_unit_error(run: StoredRun) -> Record:
    """The record with the standard error over independent units, where it was taken over smaller clusters."""
    record, likelihood = run.record, run.record.likelihood
    if record.schema > 1 or likelihood is None or run.doubts or not has_units(record.task.name):
        return record
    arrays = run.nats()
    if arrays is None or (units := len(np.unique(arrays[1]))) == likelihood.n_clusters:
        return record
    error = clustered_standard_error(*arrays)
    bits = None if error is None else float(bits_per_dim(error, record.task.shape))
    return replace(record, likelihood=replace(likelihood, bits_per_dim_se=bits, n_clusters=units))
