"""Proofs of a plan's runs: their first test images really coded and decoded, kept beside their records."""

from pathlib import Path
from typing import TYPE_CHECKING

from pixelbench.cli.output import say
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.experiments.plan import Plan
    from pixelbench.store.documents.proofs import Proof
    from pixelbench.store.scan import StoredRun


def prove_runs(plan: "Plan", n: int) -> list[str]:
    """Code `n` test images of each finished run that has no such proof yet, with progress on stderr; what cannot be coded is said there.

    Returns a sentence for each run whose images did not come back.
    """
    from pixelbench.cli.progress import steady
    from pixelbench.experiments.prove.proving import prove
    from pixelbench.models.families import get_family
    from pixelbench.store.scan import scan

    found = scan(plan.store).examine([cell.spec.key for cell in plan.cells])
    models = [cell.spec.key for cell in plan.cells if get_family(cell.spec.family).kind != "codec"]  # what a codec makes is bytes already
    chosen = [found[key] for key in models if key in found]
    sentences = []
    for run in (run for run in chosen if run.record.status == "done" and not run.doubts and not _has_proof(run, n)):
        label = run.record.spec.label
        try:
            with steady(label) as show:
                proof = prove(run, n, show).proof
            if proof.coded.difference is not None:
                sentences.append(f"{label}: its test images did not come back from their bytes ({proof.coded.difference}).")
                continue
            keep_proof(plan.store, run, proof)
            say(f"{label}: proved, {proof.n_images} test images in {proof.coded.coded_bytes:,} bytes")
        except UserError as error:
            say(f"{label} is not proved: {error}")
    return sentences


def keep_proof(store: Path, run: "StoredRun", proof: "Proof") -> None:
    """Write a run's proof beside its record, unless the run was executed again meanwhile.

    Raises:
        UserError: it was, or it is being executed now.
    """
    from pixelbench.files.locks import RunLock
    from pixelbench.store.documents.proofs import write_proof
    from pixelbench.store.record_file import state_of

    with RunLock(store, run.record.run_key) as lock:
        if not lock.acquire() or state_of(run.folder)[0] != run.record.digest:
            raise UserError(f"Run {run.record.run_key} is executed again meanwhile, so the proof is of the past and is not kept.")
        write_proof(run.folder, proof)


def _has_proof(run: "StoredRun", n: int) -> bool:
    likelihood = run.record.likelihood
    return run.proof is not None and run.proof.n_images >= (n if likelihood is None else min(n, likelihood.n_images))
