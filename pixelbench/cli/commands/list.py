"""`pixelbench list suites|ablations|tasks|models|statistics|measures|figures`."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.options import DataOption, JsonOption
from pixelbench.cli.output import print_json, print_table, say, stdout
from pixelbench.errors import NothingMatched, UserError, nearest, unknown

if TYPE_CHECKING:
    from pixelbench.published.figures import Figure
    from pixelbench.registration import Registry

Entry = dict[str, Any]

#: So many names fit into a sentence.
_FEW = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog="Example: pixelbench list models --json")(list_names)


def list_names(
    kind: Annotated[
        str,
        typer.Argument(help=f"{', '.join(completing.KINDS[:-1])} or {completing.KINDS[-1]}.", autocompletion=completing.kinds),
    ],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only figures of this data set, or task: CIFAR-10, mnist-fixed.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only figures of this model, as its paper calls it, or variant.")] = None,
    source: Annotated[str | None, typer.Option("--kind", help="Only figures that are: paper, context or reproduction.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what there is to run: suites, ablations, tasks, models; what is measured on samples; or the published figures to compare with.

    --json has every detail.
    """
    kinds: dict[str, tuple[Callable[[], list[Entry]], Callable[[list[Entry]], None]]] = {
        "suites": (_suites, _print_suites),
        "ablations": (_ablations, _print_ablations),
        "tasks": (_tasks, _print_tasks),
        "models": (_models, _print_models),
        "statistics": (_statistics, _print_statistics),
        "measures": (_measures, _print_measures),
        "figures": (lambda: _figures(dataset, model, source), _print_figures),
    }
    if kind not in kinds:
        raise unknown("list", kind, kinds)
    if kind != "figures" and not dataset is model is source is None:
        raise UserError(f"--dataset, --model and --kind choose among figures; `pixelbench list {kind}` has none, so leave them out.")
    if data is not None:
        from pixelbench.data.folder import use_data_folder  # with all of tasks and numpy, which a list of models needs nothing of

        use_data_folder(data)
    entries_of, show = kinds[kind]
    entries = entries_of()
    print_json(entries) if as_json else show(entries)


def _suites() -> list[Entry]:
    from pixelbench.suites.load import load_suite, suite_names

    return [
        {
            "name": suite.name,
            "description": suite.description,
            "tasks": [task.name for task in suite.tasks],
            "variants": len(suite.variants),
            "seeds": list(suite.seeds),
            "budgets": sorted(suite.budgets),
        }
        for suite in map(load_suite, suite_names())
    ]


def _ablations() -> list[Entry]:
    from pixelbench.suites.ablation import load_ablation, tasks_of
    from pixelbench.suites.load import ablation_names

    return [
        {
            "name": suite.name,
            "question": requested.question,
            "baseline": requested.baseline,
            "variants": [variant.name for variant in suite.variants if variant.name != requested.baseline],
            "default_task": requested.task,
            "tasks": tasks_of(suite),
        }
        for suite, requested in map(load_ablation, ablation_names())
    ]


def _print_ablations(entries: list[Entry]) -> None:
    """A block an ablation: most are for too many tasks for a column."""
    for entry in entries:
        others = [task for task in entry["tasks"] if task != entry["default_task"]]
        compared = f"{entry['baseline']} against {_text(entry['variants'])}"
        _print_block(entry["name"], entry["question"], compared, f"on {entry['default_task']}, or {_text(others)}")


def _print_suites(entries: list[Entry]) -> None:
    print_table(tuple(entries[0]), [[_text(value) for value in entry.values()] for entry in entries])


def _tasks() -> list[Entry]:
    from pixelbench.data import TASKS, get_task, task_names

    tasks = [get_task(name) for name in task_names()]
    _say_problems(TASKS)
    return [
        {
            "name": task.name,
            "title": task.title,
            "channels": task.channels,
            "height": task.height,
            "width": task.width,
            "levels": task.levels,
            "classes": task.classes,
            "images": None if task.sizes is None else dict(zip(("train", "validation", "test"), task.sizes, strict=True)),
            "digest": task.digest or None,
            "missing": task.missing(),
            "preprocessing": task.preprocessing,
            "split": task.split_rule,
            "source": task.source,
        }
        for task in tasks
    ]


def _print_tasks(entries: list[Entry]) -> None:
    """A block a task: whose images they are, and what to do where they are missing."""
    for entry in entries:
        size = f"{entry['height']}x{entry['width']}x{entry['channels']}, {entry['levels']} levels"
        images = ", ".join(f"{count:,} {name}" for name, count in (entry["images"] or {}).items())
        known = f"{images} images; digest {entry['digest'][:12]}" if images else "images unknown before they are prepared"
        _print_block(entry["name"], entry["title"], f"{size}; {known}", entry["source"], entry["missing"] or "there")
    own = "folder:PATH, with train/ and valid/ in it, and array:PATH, a file of integers or saved datasets"
    say(f"Images of your own work wherever a task does: {own}.")


def _models() -> list[Entry]:
    from pixelbench.experiments.sizes import published_sizes
    from pixelbench.models.families import FAMILIES

    _say_problems(FAMILIES)
    return [
        {
            "name": family.name,
            "title": family.title,
            "kind": family.kind,
            "paper": family.paper,
            "settings": family.parse({}).as_dict(),
            "published": published_sizes(family),
        }
        for family in FAMILIES.usable()[0].values()
    ]


def _print_models(entries: list[Entry]) -> None:
    """A block a family: settings have too many names for a column."""
    for entry in entries:
        settings = ", ".join(f"{name} = {json.dumps(value)}" for name, value in entry["settings"].items()) or "none"
        sizes = [f"{found['parameters']:,} weights at {found['where']}" for found in entry["published"]]
        _print_block(entry["name"], f"{entry['title']} ({entry['paper']})", f"settings: {settings}", *sizes)


def _statistics() -> list[Entry]:
    from pixelbench.evaluation.quality import STATISTICS

    _say_problems(STATISTICS)
    names = ("name", "title", "meaning", "unit", "better", "coloured")
    return [{name: getattr(one, name) for name in names} for one in STATISTICS.usable()[0].values()]


def _print_statistics(entries: list[Entry]) -> None:
    for entry in entries:
        colours = "; of several channels only" if entry["coloured"] else ""
        good = "held against real images" if entry["better"] == "as real images" else f"{entry['better']} is better"
        _print_block(entry["name"], f"{entry['title']}: {entry['meaning']}", f"a {entry['unit']}, {good}{colours}")


def _measures() -> list[Entry]:
    from pixelbench.evaluation.measures import MEASURES

    _say_problems(MEASURES)
    names = ("name", "title", "meaning", "unit", "better", "in_features", "control", "source")
    return [{name: getattr(one, name) for name in names} for one in MEASURES.usable()[0].values()]


def _print_measures(entries: list[Entry]) -> None:
    for entry in entries:
        of = "of features" if entry["in_features"] else "of pixels"
        about = f"a {entry['unit']} {of}, {entry['better']} is better, tried on {entry['control']}"
        _print_block(entry["name"], f"{entry['title']}: {entry['meaning']}", about, entry["source"])


def _say_problems(registry: "Registry[Any]") -> None:
    """Report entry points of other packages that cannot be used, on standard error."""
    for problem in registry.usable()[1]:
        say(problem)


def _figures(dataset: str | None, model: str | None, kind: str | None) -> list[Entry]:
    """The published figures that the filters let through: every field, and the `band`.

    Raises:
        UserError: a filter that no figure answers to. NothingMatched: only together they leave none.
    """
    from dataclasses import asdict

    from pixelbench.published.figure_files import load_figures

    figures = load_figures()
    kept = [
        _answering(figures, "data set", dataset, lambda figure: (figure.dataset, figure.task)),
        _answering(figures, "model", model, lambda figure: (figure.model, figure.variant)),
        _answering(figures, "kind of figure", kind, lambda figure: (figure.kind,)),
    ]
    entries = [{**asdict(figure), "band": figure.band} for figure in figures if all(figure in some for some in kept)]
    if not entries:
        raise NothingMatched("There are such data sets, models and kinds, but no figure is of all of them; leave one filter out.")
    return entries


def _answering(
    figures: "Sequence[Figure]", what: str, requested: str | None, names_of: "Callable[[Figure], tuple[str | None, ...]]"
) -> "Sequence[Figure]":
    """The figures of that name, however it is written: `cifar10` is CIFAR-10."""
    if requested is None:
        return figures
    found = [figure for figure in figures if _letters(requested) in {_letters(name) for name in names_of(figure) if name}]
    if found:
        return found
    known = {name for figure in figures for name in names_of(figure) if name}
    if len(known) <= _FEW:
        raise unknown(what, requested, known)
    near = nearest(requested, known)
    hint = f" Did you mean '{near}'?" if near else ""
    raise UserError(f"Unknown {what} '{requested}'.{hint} `pixelbench list figures` names them all.")


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == "+")


def _print_figures(entries: list[Entry]) -> None:
    """A block a figure. One that nobody has seen in its source says so."""
    for entry in entries:
        value = f"{'<= ' if entry['bound'] else ''}{entry['printed']} {entry['unit']}"
        images = " ".join(filter(None, (entry["dataset"], entry["split"])))
        about = [_joined(entry["model"], entry["config_name"]), _joined(images, entry["preprocessing"], entry["estimator"])]
        lines = [f"{value}: {_joined(entry['paper'], entry['locator'])} ({entry['kind']})", *filter(None, about)]
        if entry["task"]:
            lines.append(f"held against {entry['task']}/{entry['variant']}, equal within {entry['band']:g} {entry['unit']}")
        if not entry["verified"]:
            lines.append("unverified: from memory, not verified")
        _print_block(entry["id"], *lines)


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _print_block(name: str, *lines: str) -> None:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    stdout().print(Group(Text(name, style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)))


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
