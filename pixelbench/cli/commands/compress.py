"""`pixelbench compress RUN`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption, RunArgument
from pixelbench.cli.output import FAILED, FINE, print_json, print_table, say
from pixelbench.cli.stored_runs import advising, find_run
from pixelbench.errors import UserError
from pixelbench.units import bits_per_dim, bits_to_nats

if TYPE_CHECKING:
    from pixelbench.store.cells import Run
    from pixelbench.store.proofs import CodedImages, Proof

_EXAMPLE = "Example: pixelbench compress mnist-fixed/pixelcnn --n 100 --out images.pbz"
_TITLES = ("probabilities", "images", "bytes", "-log2 p, bytes", "overhead", "bits/dim", "coding s", "decoding s", "decoded")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLE)(compress)


def compress(
    run: RunArgument,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=1_000_000, help="How many test images, from the first on.")] = 100,
    out: Annotated[Path | None, typer.Option("--out", help="The file; by default named after the run.", metavar="FILE")] = None,
    store: Annotated[bool, typer.Option("--store", help="Keeps the result beside the record, for tables and pages.")] = False,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Really code test images by a stored run's model, and decode them again in another process from the weights alone.

    A range coder is driven by the step that samples, sub-pixel by sub-pixel. The bytes are held against -log2 of the images' likelihood.
    Of a leaking model twice: by the probabilities that it is scored by, which no decoder has, and by those of its sampler. Exit code 1: the
    images did not come back, and no file is left.
    """
    from pixelbench.cli.progress import steady
    from pixelbench.data.folder import use_data_folder
    from pixelbench.files.atomic import write_bytes
    from pixelbench.reports.escape import file_name

    use_data_folder(data)
    found = find_run(results, run)
    path = out or Path(f"{file_name(found.task)}-{file_name(found.variant)}-{found.key[:6]}.pbz")
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f"--out '{path}' must be a file in a folder that exists.")
    if store and found.doubts:
        raise UserError(f"Run {found.key} does not add up, so that no proof of it is kept: {'; '.join(found.doubts)}.")
    from pixelbench.experiments.prove.proving import prove

    with advising(found, results), steady(f"{found.task}/{found.variant}") as show:
        proved = prove(found.stored, n, show)
    proof = proved.proof
    if proof.coded.difference is None:
        write_bytes(path, proved.file)
        if store:
            _keep(results, found, proof)
    if as_json:
        print_json(_document(found, proof, path))
    else:
        _print(found, proof, path)
    return FINE if proof.coded.difference is None else FAILED


def _keep(results: Path, found: "Run", proof: "Proof") -> None:
    from pixelbench.cli.proving import keep_proof

    keep_proof(results, found.stored, proof)


def _document(found: "Run", proof: "Proof", path: Path) -> dict[str, Any]:
    about = {"task": found.task, "variant": found.variant, "causal": not found.leaky}
    derived = {"overhead": proof.overhead, "times_claim": proof.times_claim}
    return {**about, **asdict(proof), **derived, "path": path if proof.coded.difference is None else None}


def _print(found: "Run", proof: "Proof", path: Path) -> None:
    rows = [] if proof.claimed is None else [_row("of whole images, as scored", found, proof, proof.claimed)]
    rows.append(_row("of the sampler" if proof.claimed else proof.method, found, proof, proof.coded))
    print_table(_TITLES, rows, right=_TITLES[1:-1])
    for coded in (proof.claimed, proof.coded):
        if coded is not None and coded.difference is not None:
            say(f"The images do not come back; the first wrong sub-pixel is {coded.difference}.")
    if proof.coded.difference is not None:
        return
    labels = f", classes {proof.label_bytes} bytes (side information, not in the likelihood)" if proof.label_bytes else ""
    whole = proof.header_bytes + proof.label_bytes + proof.coded.coded_bytes
    say(f"File: {path}, {whole:,} bytes: header {proof.header_bytes}{labels}, images {proof.coded.coded_bytes:,}")
    if proof.times_claim is not None:
        say(f"{found.variant} is not causal: the images really take {proof.times_claim:,.0f} times the bytes that its likelihood claims.")


def _row(which: str, found: "Run", proof: "Proof", coded: "CodedImages") -> tuple[str, ...]:
    from pixelbench.analysis import format as words

    bits = float(bits_per_dim(bits_to_nats(8 * coded.coded_bytes / proof.n_images), found.record.task.shape))
    return (
        which,
        f"{proof.n_images:,}",
        f"{coded.coded_bytes:,}",
        f"{coded.ideal_bits / 8:,.1f}",
        words.signed_share(coded.overhead),
        words.bits(bits),
        words.seconds(coded.encode_seconds),
        words.seconds(coded.decode_seconds),
        "all equal, in another process" if coded.difference is None else "no",
    )
