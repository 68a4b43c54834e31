"""Published figures: what the shipped files say, and what the loader refuses."""

import math
from collections import Counter
from pathlib import Path

import pytest

from pixelbench.data import get_task, task_names
from pixelbench.errors import UserError
from pixelbench.published.figure_files import load_figures, reference_folder
from pixelbench.published.figures import Figure, figures_about
from pixelbench.published.rows import SUITES
from pixelbench.reports.html.sources import address
from pixelbench.suites.load import load_suite
from pixelbench.suites.resolve import pairs

HEADER = 'paper = "Author 2016"\nyear = 2016\narxiv = "1601.00001"\nsources = ["the paper"]\n'
FIGURE = {
    "id": '"a-figure"',
    "kind": '"paper"',
    "model": '"PixelCNN"',
    "dataset": '"MNIST"',
    "preprocessing": '"fixed binarisation"',
    "binarisation": '"fixed"',
    "split": '"test"',
    "metric": '"nll_nats"',
    "unit": '"nats/image"',
    "value": "81.3",
    "printed": '"81.30"',
    "bound": "false",
    "estimator": '"exact"',
    "locator": '"Table 4"',
    "verified": "true",
}


def named(name: str) -> Figure:
    (found,) = (figure for figure in load_figures() if figure.id == name)
    return found


def write(folder: Path, *figures: dict[str, str], name: str = "author-2016.toml", header: str = HEADER) -> Path:
    tables = ["[[figure]]\n" + "".join(f"{field} = {value}\n" for field, value in figure.items()) for figure in figures]
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *tables]), encoding="utf-8")
    return path


def refusal(folder: Path, **changes: str | None) -> str:
    """What the loader says of the sample figure with these fields changed, or left out."""
    write(folder, {name: value for name, value in {**FIGURE, **changes}.items() if value is not None})
    with pytest.raises(UserError) as error:
        load_figures(folder)
    return str(error.value)


def test_every_paper_has_its_figures() -> None:
    counted = Counter((figure.file, figure.kind) for figure in load_figures())
    papers = {file.removesuffix(".toml"): count for (file, kind), count in counted.items() if kind == "paper"}
    assert papers == {
        "cas-2019": 3,
        "fast-pixelcnn-pp-2017": 2,
        "gated-pixelcnn-2016": 8,
        "iaf-2016": 1,
        "image-transformer-2018": 2,
        "lmconv-2020": 5,
        "made-2015": 3,
        "nade-2011": 4,
        "parallel-multiscale-2017": 3,
        "pixelcnn-pp-2017": 13,
        "pixeliqn-2018": 5,
        "pixelrnn-2016": 29,
        "pixelsnail-2018": 3,
        "pixelvae-2017": 13,
        "smoothing-2021": 4,
        "sparse-transformer-2019": 4,
        "subscale-pixel-network-2019": 4,
        "vlae-2017": 10,
    }
    assert {kind for (file, kind) in counted if file.startswith("reproductions/")} == {"reproduction"}
    assert {kind for (file, kind) in counted if file.startswith("context/")} == {"context"}


@pytest.mark.parametrize(
    ("name", "printed", "unit", "split", "locator", "estimator"),
    [
        ("prnn-t4-pixelcnn", "81.30", "nats/image", "test", "Table 4", "exact"),
        ("prnn-t4-rowlstm", "80.54", "nats/image", "test", "Table 4", "exact"),
        ("prnn-t4-diag1", "80.75", "nats/image", "test", "Table 4", "exact"),
        ("prnn-t4-diag7", "79.20", "nats/image", "test", "Table 4", "exact"),
        ("prnn-t5-pixelcnn-test", "3.14", "bits/dim", "test", "Table 5", "exact"),
        ("prnn-t5-diag-test", "3.00", "bits/dim", "test", "Table 5", "exact"),
        ("prnn-t3-l1", "3.30", "bits/dim", "validation", "Table 3", "exact"),
        ("prnn-t6-64-val", "3.63", "bits/dim", "validation", "Table 6", "exact"),
        ("gpc-t1-train", "2.90", "bits/dim", "train", "Table 1", "exact"),
        ("gpc-t2-32-test", "3.83", "bits/dim", "validation", "Table 2", "exact"),
        ("pvae-t1-gpcnn", "80.10", "nats/image", "test", "Table 1", "exact"),
        ("pvae-t1-gpvae-noup-is", "79.02", "nats/image", "test", "Table 1", "iwae-1000"),
        ("pcpp-t1", "2.92", "bits/dim", "test", "Table 1", "exact"),
        ("psn-cifar", "2.85", "bits/dim", "test", "abstract", "exact"),
    ],
)
def test_values_are_those_of_the_papers(name: str, printed: str, unit: str, split: str, locator: str, estimator: str) -> None:
    figure = named(name)
    assert (figure.printed, figure.unit, figure.split, figure.locator, figure.estimator) == (printed, unit, split, locator, estimator)
    assert figure.value == float(printed)


def test_bounds_and_figures_from_memory_are_marked() -> None:
    assert named("pvae-t1-gpvae").bound
    assert not named("pvae-t1-gpcnn").bound
    doubtful = {figure.id for figure in load_figures() if not figure.verified}
    assert {"pvae-final-noup-is", "pvae-final-64-val", "sq-pcpp-is-mem"} < doubtful
    assert all(named(name).conflicts for name in ("pvae-final-noup-is", "pvae-final-64-val"))
    assert len(doubtful) == 17


def test_a_quoted_figure_is_its_own_paper_s() -> None:
    draw = named("prnn-t4-draw")
    assert (draw.paper, draw.year, draw.quoted_in, draw.title) == ("Gregor et al. 2015", 2015, "van den Oord et al. 2016a", "")
    assert draw.arxiv == "1502.04623"
    own = named("prnn-t4-diag7")
    assert (own.paper, own.quoted_in, own.title) == ("van den Oord et al. 2016a", "", "Pixel Recurrent Neural Networks")


def test_what_a_paper_leaves_unsaid_stands_with_the_figure() -> None:
    assert any("MNIST files" in sentence for sentence in named("prnn-t4-pixelcnn").assumed)
    assert any("192 maps" in sentence for sentence in named("pcpp-t1").assumed)
    assert all(figure.assumed for figure in load_figures() if figure.kind == "paper" and figure.task)


def test_figures_about_a_cell() -> None:
    assert [figure.id for figure in figures_about("mnist-fixed", "diagonal-bilstm-7", load_figures())] == ["prnn-t4-diag7"]
    cell = figures_about("cifar10", "pixelcnn-pp", load_figures())
    assert [(figure.id, figure.kind) for figure in cell] == [
        ("pcpp-t1", "paper"),
        ("rep-flax-pcpp", "reproduction"),
        ("rep-openai-pcpp", "reproduction"),
        ("rep-pclucas-pcpp", "reproduction"),
    ]
    assert figures_about("mnist-threshold", "diagonal-bilstm-7", load_figures()) == ()
    assert figures_about("mnist-fixed", "uniform", load_figures()) == ()


def test_figures_with_a_task_can_be_judged_on_it() -> None:
    tasks = {"mnist-fixed": ("nats/image", "test"), "cifar10": ("bits/dim", "test"), "imagenet32": ("bits/dim", "validation")}
    tasks["imagenet64"] = tasks["imagenet32"]
    about = [figure for figure in load_figures() if figure.task]
    assert {figure.task for figure in about} == set(tasks) <= set(task_names())
    of_tests = [figure for figure in about if not figure.on_validation]
    assert all((figure.unit, figure.split) == tasks[figure.task or ""] for figure in of_tests)
    assert {(figure.task, figure.unit) for figure in about if figure.on_validation} == {("cifar10", "bits/dim")}
    assert all(figure.band for figure in about)


def test_figures_name_the_cells_of_the_suites_of_papers() -> None:
    cells = {(task.name, variant.name) for suite in map(load_suite, SUITES) for task, variant in pairs(suite)}
    about = {(figure.task, figure.variant) for figure in load_figures() if figure.task}
    baselines = {(task, name) for task, _ in cells for name in ("uniform", "histogram", "png", "webp")}
    assert about <= cells
    without = {("cifar10", f"pixelcnn-pp-{change}") for change in ("softmax", "no-skip", "no-dropout")}  # published as curves, or as bounds
    assert cells - about - baselines == without


def test_the_band_is_the_tolerance_and_half_of_the_last_digit(tmp_path: Path) -> None:
    assert named("prnn-t4-pixelcnn").band == pytest.approx(0.505)
    assert named("prnn-t5-diag-test").band == pytest.approx(0.025)
    write(tmp_path, {**FIGURE, "tolerance": "0.1", "printed": '"81.3"'})
    assert load_figures(tmp_path)[0].band == pytest.approx(0.15)


@pytest.mark.parametrize("name", ["sq-pixelcnn-fid", "gpc-s31-gain", "spd-fast-pcpp", "rep-anantzoid", "rep-pbloem-gated5", "vlae-kl"])
def test_other_metrics_have_no_band(name: str) -> None:
    assert named(name).band is None


def test_bits_per_dim_of_binary_images_have_no_usual_tolerance(tmp_path: Path) -> None:
    """0.02 bits/dim are 10.9 nats there."""
    write(tmp_path, {**FIGURE, "metric": '"bits_per_dim"', "unit": '"bits/dim"', "value": "0.15", "printed": '"0.150"'})
    assert load_figures(tmp_path)[0].band is None


def test_a_file_from_before_these_fields_is_read_and_takes_the_images_for_its_tasks(tmp_path: Path) -> None:
    old = {field: value for field, value in FIGURE.items() if field != "binarisation"}
    write(tmp_path, {**old, "task": '"mnist-fixed"', "variant": '"pixelcnn"'}, {**old, "id": '"untold"'})
    about, untold = load_figures(tmp_path)
    assert (about.binarisation, about.conditional, about.band) == (None, False, pytest.approx(0.505))
    assert untold.band is None, "nobody can say whether these are nats of binarised images"


def test_how_images_were_binarised_is_what_the_paper_says_of_its_task() -> None:
    for figure in load_figures():
        task = None if figure.task is None or figure.kind != "paper" else get_task(figure.task)
        if task is not None:
            assert figure.binarisation == task.binarisation, figure.id


def test_a_missing_field_is_the_only_thing_said_of_it(tmp_path: Path) -> None:
    said = refusal(tmp_path, locator=None)
    assert said == f"Figure file '{tmp_path / 'author-2016.toml'}': figure 'a-figure': locator: is missing."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"locator": '""'}, "figure 'a-figure': locator: is empty."),
        ({"locator": '"-"'}, "figure 'a-figure': locator: is empty."),
        ({"verified": None}, "figure 'a-figure': verified: is missing."),
        ({"verified": '"yes"'}, "figure 'a-figure': verified: expected true or false, got \"yes\"."),
        ({"id": None}, "figure number 1: id: is missing."),
        ({"unit": '"bits/dim"'}, "figure 'a-figure': unit: 'bits/dim' does not fit the metric nll_nats, which is in nats/image."),
        ({"metric": '"nll_nat"'}, "figure 'a-figure': metric: there is no metric 'nll_nat'; did you mean 'nll_nats'?"),
        ({"value": "nan", "printed": None}, "figure 'a-figure': value: expected a finite number, got nan."),
        ({"value": "inf", "printed": None}, "figure 'a-figure': value: expected a finite number, got inf."),
        ({"value": '"81.3"'}, "figure 'a-figure': value: expected a number, got \"81.3\"."),
        ({"value": "1" + 400 * "0"}, "figure 'a-figure': value: expected a number, got 1000"),
        ({"value": "true"}, "figure 'a-figure': value: expected a number, got true."),
        ({"value": "0.00001", "printed": None}, "figure 'a-figure': printed: is missing, and a value of so many digits needs it."),
        ({"value": "81.30001", "printed": None}, "figure 'a-figure': printed: is missing, and a value of so many digits needs it."),
        ({"printed": '"81.03"'}, "figure 'a-figure': printed: '81.03' is not the value 81.3."),
        ({"printed": '"about 81.30"'}, "figure 'a-figure': printed: 'about 81.30' is not the value 81.3."),
        ({"estimater": '"exact"'}, "figure 'a-figure': estimater: there is no such field; did you mean 'estimator'?"),
        ({"estimator": None}, "figure 'a-figure': estimator: is missing, and a likelihood needs one."),
        ({"estimator": '"iwae-0"'}, "figure 'a-figure': estimator: expected exact, elbo, iwae-K"),
        ({"kind": '"papr"'}, "figure 'a-figure': kind: expected paper, context or reproduction, got 'papr'; did you mean 'paper'?"),
        ({"split": '"tests"'}, "figure 'a-figure': split: expected train, validation, test or samples, got 'tests'; did you mean 'test'?"),
        (
            {"binarisation": '"fixd"'},
            "figure 'a-figure': binarisation: expected fixed, dynamic, threshold or any, got 'fixd'; did you mean 'fixed'?",
        ),
        ({"binarisation": "true"}, "figure 'a-figure': binarisation: expected a text in quotes, got true."),
        ({"conditional": '"class"'}, "figure 'a-figure': conditional: expected true or false, got \"class\"."),
        ({"tolerance": "0.0"}, "figure 'a-figure': tolerance: expected more than 0, got 0.0."),
        ({"assumed": '"a sentence"'}, "figure 'a-figure': assumed: expected a list of texts, got \"a sentence\"."),
        ({"task": '"mnist-fixed"'}, "figure 'a-figure': variant: is missing, although the figure has a task."),
        ({"variant": '"pixelcnn"'}, "figure 'a-figure': task: is missing, although the figure has a variant."),
        ({"task": '"t"', "variant": '"v"', "split": None}, "figure 'a-figure': split: is missing, and a figure with a task needs one."),
        (
            {"task": '"t"', "variant": '"v"', "metric": '"fid"', "unit": '"FID"'},
            "figure 'a-figure': task: a figure of the metric fid cannot be held against a run.",
        ),
        ({"conflicts": '["a-figur"]'}, "figure 'a-figure': conflicts: no figure is called 'a-figur'; did you mean 'a-figure'?"),
    ],
)
def test_an_error_is_one_sentence_with_file_figure_and_field(tmp_path: Path, changes: dict[str, str | None], said: str) -> None:
    assert f"author-2016.toml': {said}" in refusal(tmp_path, **changes)


def test_an_id_is_unique_over_all_files(tmp_path: Path) -> None:
    write(tmp_path, FIGURE)
    write(tmp_path, FIGURE, name="context/other-2017.toml")
    with pytest.raises(UserError, match=r"other-2017.toml': figure 'a-figure': id: another figure in author-2016.toml has it already\."):
        load_figures(tmp_path)


def test_files_of_the_folder_come_before_those_of_sub_folders(tmp_path: Path) -> None:
    write(tmp_path, {**FIGURE, "id": '"one"'}, name="context/a.toml")
    write(tmp_path, {**FIGURE, "id": '"two"'}, {**FIGURE, "id": '"three"'}, name="z.toml")
    write(tmp_path, {**FIGURE, "id": '"four"'}, name="y.toml")
    assert [figure.id for figure in load_figures(tmp_path)] == ["four", "two", "three", "one"]


def test_the_header_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path, FIGURE, header=HEADER.replace("year", "yaer"))
    with pytest.raises(UserError, match="the header: yaer: there is no such field; did you mean 'year'"):
        load_figures(tmp_path)
    path.write_text("figure = 3\n" + HEADER, encoding="utf-8")
    with pytest.raises(UserError, match=r"the file: figure: expected tables that begin with \[\[figure\]\]"):
        load_figures(tmp_path)


def test_remarks_are_checked_too(tmp_path: Path) -> None:
    path = write(tmp_path, FIGURE)
    path.write_text(path.read_text(encoding="utf-8") + '[[remark]]\nid = "curve"\ntext = "A curve only."\n', encoding="utf-8")
    with pytest.raises(UserError, match="remark 'curve': locator: is missing"):
        load_figures(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"paper = ", "is not valid TOML: Invalid value .* fix it there"),
        (b'paper = "\xff"', "is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "damaged.toml").write_bytes(content)
    with pytest.raises(UserError, match=f"damaged.toml' {said}"):
        load_figures(tmp_path)


def test_unreadable_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no figures in"):
        load_figures(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UserError, match=r"folder.toml' cannot be read: Is a directory"):
        load_figures(tmp_path)


def test_shipped_files_are_found_and_every_figure_is_finite() -> None:
    assert (reference_folder() / "pixelrnn-2016.toml").is_file()
    assert all(math.isfinite(figure.value) and figure.locator for figure in load_figures())


def test_an_address_of_a_paper_is_a_link_that_leads_to_it_alone(tmp_path: Path) -> None:
    written = HEADER.replace('arxiv = "1601.00001"', 'url = "https://example.org/a paper?x=<1>"')
    write(tmp_path, FIGURE, header=written)
    (figure,) = load_figures(tmp_path)
    assert address(figure) == "https://example.org/a%20paper?x=%3C1%3E"
    for other in ("http://example.org", "javascript:alert(1)", "//example.org"):
        folder = tmp_path / str(len(other))
        write(folder, FIGURE, header=written.replace("https://example.org/a paper?x=<1>", other))
        with pytest.raises(UserError, match="begins with https://"):
            load_figures(folder)
