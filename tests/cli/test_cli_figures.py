"""`pixelbench list figures`: filters, marks, JSON."""

import json
from typing import Any

import pytest

from pixelbench.published.figure_files import load_figures
from tests.cli.cli_stores import Pixelbench


def entries_of(out: str) -> list[dict[str, Any]]:
    """The one JSON document that stdout must be."""
    return json.loads(out)


def test_json_has_every_figure_with_every_field(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("list", "figures", "--json")
    entries = entries_of(out)
    assert (code, err) == (0, "")
    assert [entry["id"] for entry in entries] == [figure.id for figure in load_figures()]
    diagonal = next(entry for entry in entries if entry["id"] == "prnn-t4-diag7")
    assert (diagonal["value"], diagonal["printed"], diagonal["unit"], diagonal["locator"]) == (79.2, "79.20", "nats/image", "Table 4")
    assert (diagonal["task"], diagonal["variant"], diagonal["band"]) == ("mnist-fixed", "diagonal-bilstm-7", pytest.approx(0.505))
    assert diagonal["assumed"]


def test_blocks_fit_a_narrow_terminal_and_mark_what_is_from_memory(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = pixelbench("list", "figures", "--dataset", "mnist-fixed", "--model", "pixelvae")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    read, remembered = (out.split(name)[1].split("pvae-")[0] for name in ("pvae-t1-gpvae-noup-elbo", "pvae-final-noup-elbo"))
    assert "<= 79.66 nats/image: Gulrajani et al. 2017, Table 1 (paper)" in read
    assert "equal within 0.505 nats/image" in read
    assert "unverified" not in read
    assert "unverified: from memory, not verified" in remembered


@pytest.mark.parametrize("written", ["CIFAR-10", "cifar10", "Cifar 10"])
def test_a_data_set_is_found_however_it_is_written(pixelbench: Pixelbench, written: str) -> None:
    _, out, _ = pixelbench("list", "figures", "--dataset", written, "--kind", "reproduction", "--json")
    entries = entries_of(out)
    assert {entry["dataset"] for entry in entries} == {"CIFAR-10"}
    assert {entry["kind"] for entry in entries} == {"reproduction"}
    assert "rep-openai-pcpp" in {entry["id"] for entry in entries}


def test_a_model_is_found_by_its_own_name_alone(pixelbench: Pixelbench) -> None:
    _, out, _ = pixelbench("list", "figures", "--model", "pixelcnn++", "--json")
    assert {entry["model"] for entry in entries_of(out)} == {"PixelCNN++"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "cifr10"), "Unknown data set 'cifr10'. Did you mean 'cifar10'? Known: "),
        (("--model", "gatd-pixelcn"), "Unknown model 'gatd-pixelcn'. Did you mean 'gated-pixelcnn'? `pixelbench list figures` names"),
        (("--kind", "papers"), "Unknown kind of figure 'papers'. Did you mean 'paper'? Known: context, paper, reproduction."),
    ],
)
def test_unknown_filters_name_the_nearest(pixelbench: Pixelbench, arguments: tuple[str, str], said: str) -> None:
    code, out, err = pixelbench("list", "figures", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(said)


def test_filters_that_leave_nothing_are_3(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("list", "figures", "--dataset", "imagenet32", "--model", "diagonal-bilstm")
    assert (code, out) == (3, "")
    assert "leave one filter out" in err


def test_filters_are_of_figures_only(pixelbench: Pixelbench) -> None:
    code, _, err = pixelbench("list", "models", "--model", "pixelcnn")
    assert code == 2
    assert "`pixelbench list models` has none" in err
