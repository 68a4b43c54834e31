"""Checks the entries of an audit file, each in a process of its own and within its own time. No torch here."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from pixelbench.analysis.audits import MISSING, UNCHECKED, Audited, differences, verdict_of
from pixelbench.causality.report import CausalityReport
from pixelbench.errors import UserError
from pixelbench.experiments.foreign import own_process
from pixelbench.experiments.foreign.audit_file import AuditEntry, AuditFile, is_family
from pixelbench.importing import split_target


@dataclass(frozen=True)
class _Found:
    """Where an entry's module is: the folder that its check runs in (None: this one), and the target as it reads there."""

    folder: Path | None
    target: str


def audits(
    file: AuditFile, entries: Sequence[AuditEntry], sources: Path | None = None, *, workers: int = 1, allow_missing: bool = False
) -> Iterator[Audited]:
    """The findings about entries, each as soon as it is there. Where the caller stops early, all processes are ended.

    Args:
        file: the audit file that they stand in.
        entries: those to check.
        sources: the folder of all sources; that of the file by default.
        workers: so many at the same time.
        allow_missing: a source that is not there is as expected.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(workers) as pool:
        try:
            folder = sources or file.path.parent
            checked = [pool.submit(_audit, file, entry, folder, stop, allow_missing=allow_missing) for entry in entries]
            for done in as_completed(checked):
                yield done.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _audit(file: AuditFile, entry: AuditEntry, sources: Path, stop: threading.Event, *, allow_missing: bool) -> Audited:
    """Whatever the module does, there is an answer."""
    began = time.monotonic()
    about: dict[str, Any] = {"name": entry.name, "target": entry.target, "source": entry.source or "", "note": entry.note}
    about["expected"] = entry.expectation
    found = _located(file, entry, sources)
    if isinstance(found, str):
        differing = () if allow_missing else differences(entry.expectation, MISSING)
        return Audited(**about, verdict=MISSING, sentence=found, differences=differing)
    answered = _checked(entry, found, stop)
    return replace(_concluded(answered, about), seconds=round(time.monotonic() - began, 2))


def _located(file: AuditFile, entry: AuditEntry, sources: Path) -> _Found | str:
    """Where it is, a file beside the audit file before one in the source; or a sentence on what is not there."""
    beside = file.path.parent.resolve()
    folder = beside if entry.source is None else (sources / entry.source).resolve()
    if not folder.is_dir():
        return f"There is no folder '{entry.source}' in '{sources}'; put the source there, or say where it is with --sources DIR."
    if is_family(entry.target):
        return _Found(None, entry.target)
    where, name = split_target(entry.target)
    there = f" or in '{entry.source}'" if entry.source else ""
    if not (where.endswith(".py") or "/" in where):
        package = where.partition(".")[0]
        if PathFinder.find_spec(package, [str(folder), *sys.path]) is None:
            return f"There is no package '{package}' installed{there}."
        return _Found(folder, entry.target)
    for place in (beside, folder):
        if (place / where).is_file():
            return _Found(folder, f"{os.path.relpath(place / where, folder)}:{name}")
    return f"There is no file '{where}' beside the audit file{there}."


def _checked(entry: AuditEntry, found: _Found, stop: threading.Event) -> Iterator[dict[str, Any]]:
    """The answers of its process; an error is one of them, the last. A fault of ours stops no other entry."""
    try:
        yield from own_process.answers_from_own_process(entry.request(found.target), folder=found.folder, stopped=stop.is_set)
    except UserError as error:
        yield {"error": str(error)}
    except own_process.OwnFaultError as fault:
        yield {"error": f"This is a fault of PixelBench ({str(fault).strip().splitlines()[-1]}): please report it."}


def _concluded(answered: Iterator[dict[str, Any]], about: dict[str, Any]) -> Audited:
    reports, certificates, printed = [], [], ""
    expected = about["expected"]
    for answer in answered:
        if "printed" in answer:
            printed = answer["printed"]
        elif "error" in answer:
            found = differences(expected, UNCHECKED)
            return Audited(**about, verdict=UNCHECKED, sentence=answer["error"], differences=found, printed=printed)
        elif "finding" in answer:
            document = {**answer["finding"]["json"], "target": about["target"]}
            verdict, sentence = document["verdict"], answer["finding"]["sentence"]
            return Audited(
                **about, verdict=verdict, sentence=sentence, differences=differences(expected, verdict), certificates=(document,)
            )
        elif "report" in answer:
            certificates.append({**answer["report"], "target": about["target"]})
            reports.append(CausalityReport.from_json(certificates[-1]))
    verdict = verdict_of(reports)
    sentence = next(report for report in reports if report.verdict == verdict).summary()
    differing = differences(expected, verdict, reports)
    return Audited(**about, verdict=verdict, sentence=sentence, differences=differing, certificates=tuple(certificates))
