"""`pixelbench compress RUN|TARGET`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.given_model import (
    ConditionOption,
    InputOption,
    ModuleHeadOption,
    OrderFileOption,
    ReadingOptions,
    TaskOption,
    WeightsOption,
    names_model,
    of_task,
    refuse_beside_run,
)
from pixelbench.cli.arguments.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption, check_place
from pixelbench.cli.commands.check import ArgOption, Input, InputLayoutOption, OutputOption, SelectOption, SetOption
from pixelbench.cli.output import FAILED, FINE, print_json, print_table, say
from pixelbench.cli.stored_runs import advising, find_run
from pixelbench.errors import UserError
from pixelbench.units import bits_per_dim, bits_to_nats

if TYPE_CHECKING:
    from pixelbench.experiments.evaluating.given import GivenModel
    from pixelbench.experiments.prove.proving import Proved
    from pixelbench.store.cells import Run
    from pixelbench.store.documents.proofs import CodedImages, Proof

_EXAMPLES = """Example: pixelbench compress mnist-fixed/pixelcnn --n 100 --out images.pbz

Example: pixelbench compress my_net.py:MyNet --task digits --weights best.safetensors --head categorical"""
_TITLES = ("probabilities", "images", "bytes", "-log2 p, bytes", "overhead", "bits/dim", "coding s", "decoding s", "decoded")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(compress)


def compress(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|TARGET",
            help="The first digits of a run key, or task/variant; or path/file.py:name, package.module:name or a family, with --task.",
            autocompletion=completing.targets,
        ),
    ],
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=1_000_000, help="How many test images, from the first on.")] = 100,
    out: Annotated[Path | None, typer.Option("--out", help="The file; by default named after the model.", metavar="FILE")] = None,
    store: Annotated[bool, typer.Option("--store", help="Keeps the result beside the record, for tables and pages.")] = False,
    task: TaskOption = None,
    weights: WeightsOption = None,
    settings: SetOption = None,
    head: ModuleHeadOption = None,
    input: InputOption = Input.auto,
    output: OutputOption = None,
    select: SelectOption = None,
    input_layout: InputLayoutOption = None,
    args: ArgOption = None,
    order: OrderFileOption = None,
    condition: ConditionOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Really code test images by a model, and decode them again in another process from the weights alone.

    A range coder is driven by the step that samples, sub-pixel by sub-pixel. The bytes are held against -log2 of the images' likelihood.
    Of a leaking model twice: by the probabilities that it is scored by, which no decoder has, and by those of its sampler. A TARGET that is
    no stored run is certified first. Exit code 1: the images did not come back, and no file is left.
    """
    from pixelbench.data.folder import use_data_folder
    from pixelbench.files.atomic import write_bytes

    use_data_folder(data)
    reading = ReadingOptions(head, input, output, select, input_layout, args, order, condition)
    if names_model(target):
        given = of_task(target, task, weights=weights, settings=settings, reading=reading)
        if store:
            raise UserError("--store keeps the proof of a stored run; store this one first, by `pixelbench eval … --store`.")
        assert task is not None
        path = _path(out, task, given.target.rpartition(":")[2])
        coder, proved = _by_target(given, task, n)
    else:
        refuse_beside_run(target, task, weights=weights, settings=settings, reading=reading)
        found = find_run(results, target)
        path = _path(out, found.task, found.variant, found.key)
        if store and found.doubts:
            raise UserError(f"Run {found.key} does not add up, so that no proof of it is kept: {'; '.join(found.doubts)}.")
        coder, proved = _by_run(found, n, results)
    proof = proved.proof
    if proof.coded.difference is None:
        write_bytes(path, proved.file)
        if store and coder.run is not None:
            _keep(results, coder.run, proof)
    if as_json:
        print_json(_document(coder, proof, path))
    else:
        _print(coder, proof, path)
    return FINE if proof.coded.difference is None else FAILED


@dataclass(frozen=True)
class _Coder:
    """The model by which images are coded, as it is called."""

    task: str
    variant: str
    shape: tuple[int, int, int]
    leaky: bool
    certificate: str | None = None
    """The sentence of one that was made for this; a stored run has its own."""
    run: "Run | None" = None


def _path(out: Path | None, task: str, *names: str) -> Path:
    from pixelbench.reports.escape import file_name

    key = [name[:6] for name in names[1:]]
    path = out or Path("-".join([file_name(task.rpartition("/")[2]), file_name(names[0]), *key]) + ".pbz")
    check_place(path, "--out")
    return path


def _by_run(found: "Run", n: int, results: Path) -> "tuple[_Coder, Proved]":
    from pixelbench.cli.progress import steady
    from pixelbench.experiments.prove.proving import prove

    with advising(found, results), steady(f"{found.task}/{found.variant}") as show:
        proved = prove(found.stored, n, show)
    return _Coder(found.task, found.variant, found.record.task.shape, found.leaky, run=found), proved


def _by_target(given: "GivenModel", task: str, n: int) -> "tuple[_Coder, Proved]":
    from pixelbench.cli.progress import steady
    from pixelbench.experiments.prove.proving import prove_given

    with steady(given.target) as show:
        proved, certificate = prove_given(given, task, n, show)
    return _Coder(task, given.target, given.shape, certificate.leaky, certificate.summary()), proved


def _keep(results: Path, run: "Run", proof: "Proof") -> None:
    from pixelbench.cli.proving import keep_proof

    keep_proof(results, run.stored, proof)


def _document(coder: _Coder, proof: "Proof", path: Path) -> dict[str, Any]:
    about: dict[str, Any] = {"task": coder.task, "variant": coder.variant, "causal": not coder.leaky}
    about |= {} if coder.certificate is None else {"certificate": coder.certificate}
    derived = {"overhead": proof.overhead, "times_claim": proof.times_claim}
    return {**about, **asdict(proof), **derived, "path": path if proof.coded.difference is None else None}


def _print(coder: _Coder, proof: "Proof", path: Path) -> None:
    rows = [] if proof.claimed is None else [_row("of whole images, as scored", coder, proof, proof.claimed)]
    rows.append(_row("of the sampler" if proof.claimed else proof.method, coder, proof, proof.coded))
    if coder.certificate is not None:
        say(coder.certificate)
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
        say(f"{coder.variant} is not causal: the images really take {proof.times_claim:,.0f} times the bytes that its likelihood claims.")


def _row(which: str, coder: _Coder, proof: "Proof", coded: "CodedImages") -> tuple[str, ...]:
    from pixelbench.analysis import format as words

    bits = float(bits_per_dim(bits_to_nats(8 * coded.coded_bytes / proof.n_images), coder.shape))
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
