"""`report.md`: tables, order, ablations, lessons, sample grids, dependence maps, curves, failures and where it all comes from."""

from pathlib import Path
from typing import Any

from pixelbench.reports import columns, escape, words
from pixelbench.reports.ablations import Ablation
from pixelbench.reports.gallery import FILES, Gallery
from pixelbench.reports.lessons import Lesson
from pixelbench.reports.plots import draw_curves
from pixelbench.reports.report import Report
from pixelbench.reports.runs import Run
from pixelbench.reports.tables import Row, TaskTable
from pixelbench.store.atomic import write_bytes, write_text

HOW_TO_READ = """\
- **bits/dim ± se**: how many bits the model needs for one sub-pixel of an unseen test image, fewer being better; exact, over the whole test
  split. The standard error is over groups of test images that are not independent: those of one region of a photograph, or of one form of
  handwriting. Over several seeds: the mean, and the standard deviation over seeds.
- **behind the best**: paired difference to rank 1 on the same images, with a 95 % interval by Student's t over groups. Other test
  images are what it allows for, not other seeds.
- **no leak found**: no output distribution changed when its own or a later sub-pixel was changed, for every sub-pixel of the map. A finite
  probe can prove a leak, never its absence.
- **not causal**: the model sees what it predicts. Its bits/dim (struck through) is not a likelihood and has no rank; the **sequential
  score** is the likelihood of the process its sampler really follows, each sub-pixel predicted from a canvas of earlier ones only.
- **code length**: the bytes of all test images as one mosaic in an image format. It makes a number readable; it is no model's likelihood.
- **zeros**, **colour coherence**: the share of values 0, and the correlation between the colour channels, in samples; hold them against the
  row of real test images."""

BOUNDS = """\
- **≤**: the likelihood of a model with latents is only bounded, by the ELBO or, tighter, by importance samples: it needs so much at most. A
  bound has no rank beside exact values.
- **latents used**: how many latents have a posterior mean that differs between test images (variance above 0.01), and how many nats an
  image are spent on all of them (KL). None and 0 nats: the decoder ignores them."""

TOLD = """\
- **given the class**: exact, but of an image whose class the model is told; no rank beside models that are told nothing."""

NATS = """\
- **nats/image**: the same likelihood as bits/dim, in nats for a whole image, as papers give it for binarised digits."""

ABLATIONS = """\
- **difference**, in an ablation: to the baseline in its first row, paired on the same images like *behind the best*, positive where the
  variant needs more bits. The variant differs from the baseline in what the section is about and in nothing else: not in recipe, updates,
  evaluation or another setting. *Of bounds*: it orders two bounds, and not surely the likelihoods. **≤** before it: a bound beside an
  exact value, so the true difference is no larger."""


def write_markdown(report: Report, out: Path | None = None) -> Path:
    """Writes the page and its figures beside it, each file whole or not at all; returns the page's path.

    Args:
        report: what to show.
        out: where the page goes; `report.md` in the store if left out. Links to sample grids are relative to it.
    """
    path = out or report.store / "report.md"
    parts = ["# PixelBench report"]
    if not report.tables:
        parts.append("No runs are stored here yet.")
    for table in report.tables:
        parts += _task(report, table, path.parent)
    failed = [run for cell in report.cells for run in cell.runs if run.record["error"]]
    if failed:
        parts += ["## Runs that did not finish", *(_failure(run) for run in failed)]
    if report.problems:
        parts += ["## Records that could not be used", "\n".join(f"- {escape.text(problem)}" for problem in report.problems)]
    if report.tables:
        parts += ["## How to read this", _how_to_read(report), "## Where it comes from", _provenance(report)]
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def _how_to_read(report: Report) -> str:
    """What the columns of its tables mean."""
    rows = [row for table in report.tables for row in table.rows]
    optional = {
        ABLATIONS: bool(report.ablations),
        TOLD: any(row.standing == "told" for row in rows),
        BOUNDS: any(row.standing == "bound" or row.kl is not None for row in rows),
        NATS: any(table.binary for table in report.tables),
    }
    return "\n".join([HOW_TO_READ, *(text for text, needed in optional.items() if needed)])


def result_table(table: TaskTable, chosen: list[columns.Column]) -> str:
    """The rows of a task as a Markdown table, real test images last."""
    rows = [[_cell(column, row) for column in chosen] for row in table.rows]
    if table.real["zeros"] is not None:
        rows.append([f"*{text}*" if (text := escape.text(column.real(table))) else "" for column in chosen])
    return escape.table([escape.text(column.title) for column in chosen], [column.right for column in chosen], rows)


def _cell(column: columns.Column, row: Row) -> str:
    text = escape.text(column.cell(row))
    if row.standing == "leaking" and column is columns.SCORE:
        return f"~~{text}~~ *not causal*"
    if column is columns.SCORE and words.estimated(row):
        return f"{text} ({words.estimated(row)})"
    return f"**{text}**" if row.causal == "leaky" and column is columns.CAUSAL else text


def _task(report: Report, table: TaskTable, beside: Path) -> list[str]:
    cells = sorted((cell for cell in report.cells if cell.task == table.task), key=_position(table))
    gallery = Gallery(table.task, cells, beside)
    parts = [f"## {escape.text(table.task)}", f"{escape.text(columns.caption(table))}."]
    parts.append(f"Preprocessing: {escape.text(' '.join(table.preprocessing))} Digest `{table.digest[:12]}`.")
    parts.append(result_table(table, columns.columns_of(table)))
    steps = report.order_of(table.task)
    if steps:
        parts += ["### Does the expected order hold?", "\n".join(f"- {escape.text(step.sentence)}" for step in steps)]
    parts += _ablations(report.ablations_of(table.task), gallery)
    parts += _lessons(report.lessons_of(table.task), gallery)
    parts += [*gallery.other_grids(), *gallery.other_maps()]
    curves = draw_curves(cells)
    if curves:
        name = f"{FILES}/curves-{escape.file_name(table.task)}.png"
        write_bytes(beside / name, curves)
        parts += [
            "### Learning curves",
            "Dashed: not causal, so not a likelihood.",
            f"![Learning curves of {escape.text(table.task)}]({escape.link(name)})",
        ]
    return parts


def _position(table: TaskTable):
    labels = [row.label for row in table.rows]
    return lambda cell: labels.index(cell.label)


def _ablations(ablations: list[Ablation], gallery: Gallery) -> list[str]:
    """Each axis with table, sentences, grids side by side, and the maps where they differ from the baseline's."""
    parts, last = [], None
    for ablation in ablations:
        if ablation.axis is not last:
            parts += [f"### Ablation: {escape.text(ablation.axis.title)}", escape.text(ablation.axis.question)]
        last = ablation.axis
        parts.append(result_table(ablation.table, columns.columns_of_ablation(ablation)))
        parts += [escape.text(sentence) for sentence in ablation.sentences]
        parts += gallery.grids_beside(ablation.labels, ablation.lessons)
        parts += gallery.differing_maps(ablation.labels)
    return parts


def _lessons(lessons: list[Lesson], gallery: Gallery) -> list[str]:
    """Each lesson that no ablation tells, with the grids that show it."""
    parts = []
    for title in dict.fromkeys(lesson.title for lesson in lessons):
        parts.append(f"### Lesson: {escape.text(title)}")
        for lesson in (lesson for lesson in lessons if lesson.title == title):
            parts += [escape.text(" ".join(lesson.sentences)), *gallery.grids(lesson.grids)]
    return parts


def _failure(run: Run) -> str:
    error = run.record["error"]
    said = f"- **{escape.text(f'{run.task}/{run.variant}, seed {run.seed}')}** ({run.record['status']}): {escape.text(error['message'])}"
    log = "\n".join(error.get("log") or [])
    return f"{said}\n\n{escape.block(log)}" if log else said


def _provenance(report: Report) -> str:
    runs = [run for cell in report.cells for run in cell.runs]
    given = [run.record["provenance"] for run in runs]
    versions = {f"{name} {version}" for about in given for name, version in about.get("versions", {}).items()}
    threads = {about["threads"] for about in given if about.get("threads")}
    lines = {
        "code": sorted({_commit(about) for about in given}),
        "versions": sorted(versions),
        "device": sorted({about["device"] for about in given}),
        "threads a run": [str(count) for count in sorted(threads)],
        "precision": sorted({about["precision"] for about in given if about.get("precision")}),
        "seeds": [str(seed) for seed in sorted({run.seed for run in runs})],
        "budgets": sorted({f"{run.record['budget']['name']} ({words.whole(run.updates)} updates)" for run in runs if run.updates}),
    }
    total = sum(run.record["cost"]["seconds"] or 0 for run in runs)
    listed = [f"- {name}: {escape.text(', '.join(values))}" for name, values in lines.items() if values]
    return "\n".join([*listed, f"- {len(runs)} runs, {words.seconds(total)} seconds of computing in all"])


def _commit(provenance: dict[str, Any]) -> str:
    """`0123456789ab with uncommitted changes`"""
    commit = provenance.get("git_commit")
    return (commit[:12] if commit else "not from a git checkout") + (" with uncommitted changes" if provenance.get("git_dirty") else "")
