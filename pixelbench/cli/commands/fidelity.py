"""`pixelbench fidelity RUN`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.arguments.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption, check_seed
from pixelbench.cli.output import print_json, stdout
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.evaluation.features.inception import SampleScore
    from pixelbench.published.sample_figures import SampleComparison
    from pixelbench.store.cells import Run

_EXAMPLE = "Example: pixelbench fidelity cifar10/gated-pixelcnn --weights pt_inception-2015-12-05-6726825d.pth -n 50000"
#: Images that are drawn at once.
_CHUNK = 500


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLE)(fidelity)


def fidelity(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The first digits of a run key, or task/variant; see `pixelbench status`.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Inception's weights, which you have; else $PIXELBENCH_INCEPTION.")
    ] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=10, max=100_000, help="Samples, and as many real images; papers: 50,000.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, callback=check_seed, help="Another seed, other samples.")] = 0,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """FID and IS of a stored run's samples beside papers' figures, through torch-fidelity and Inception's weights.

    Nothing is downloaded. Only the standard weights, known by their SHA-256, give these names and a comparison.
    """
    from pixelbench.cli.stored_runs import find_run
    from pixelbench.data.folder import use_data_folder
    from pixelbench.evaluation.features.inception import use_inception_weights

    use_data_folder(data)
    use_inception_weights(weights)
    found = find_run(results, run)
    scores = _scores(found, n, seed)
    compared = [(score, _beside(found, score)) for score in scores]
    if as_json:
        about = {"run_key": found.key, "task": found.task, "variant": found.variant, "causal": not found.leaky, "real_images": "train"}
        print_json({**about, "scores": [{**asdict(score), "published": [_plain(one) for one in beside]} for score, beside in compared]})
        return
    for score, beside in compared:
        for line in (_sentence(found, score), *(f"  {one.sentence}" for one in beside)):
            stdout().print(line, soft_wrap=True, markup=False)


def _scores(run: "Run", n: int, seed: int) -> "list[SampleScore]":
    """Both numbers, of the same samples, against training images as papers do.

    Raises:
        UserError: no weights of the model or of Inception, or images that Inception does not take.
    """
    import numpy as np
    import torch

    from pixelbench.data import get_task
    from pixelbench.evaluation.features.inception import frechet_distance, inception_features, inception_score
    from pixelbench.experiments.stored import load_run

    task, levels = get_task(run.task), run.record.task.levels
    if task.channels not in (1, 3) or task.redrawn:
        raise UserError(f"Inception takes grey or RGB images that stay the same; task {run.task} has none.")
    inception_features(task)  # before anything is drawn
    net, of_classes, train = load_run(run.stored), run.record.variant.classes, task.load().train.images
    generator, parts = torch.Generator().manual_seed(seed), []
    for begin in range(0, n, _CHUNK):
        count = min(_CHUNK, n - begin)
        classes = [(begin + i) % of_classes for i in range(count)] if of_classes else None
        parts.append(net.sample(count, condition=None if classes is None else torch.tensor(classes), generator=generator).numpy())
    samples = np.concatenate(parts)
    chosen = np.random.default_rng(seed).permutation(len(train))[:n]
    return [frechet_distance(samples, train[np.sort(chosen)], levels), inception_score(samples, levels)]


def _beside(run: "Run", score: "SampleScore") -> "list[SampleComparison]":
    from pixelbench.published.figure_files import load_figures
    from pixelbench.published.sample_figures import MeasuredSamples, compare_samples

    measured = MeasuredSamples(score.name, score.value, score.error, score.n, run.task, score.standard)
    return compare_samples(measured, load_figures())


def _sentence(run: "Run", score: "SampleScore") -> str:
    error = "" if score.error is None else f" ± {score.error:.2f}"
    real = "" if score.n_real is None else f" against {score.n_real:,} training images"
    name = f"{run.task}/{run.variant}{' (not causal)' if run.leaky else ''}"
    return f"{name}: {score.name} {score.value:.2f}{error} over {score.n:,} samples{real}, features {score.features}."


def _plain(one: "SampleComparison") -> dict[str, object]:
    figure = one.figure
    return {"id": figure.id, "paper": figure.paper, "value": figure.value, "difference": one.difference, "sentence": one.sentence}
