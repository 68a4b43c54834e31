"""When the KL term began to count in full: said of runs with latents, in updates and epochs, and of no other."""

from pathlib import Path
from typing import Any

import pytest

from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from pixelbench.reports.warmups import warm_up
from tests.support.record_factory import add_run, ask, record_of


def said(family: str = "pixelvae", updates: int = 2500, task: str = "mnist-fixed", **settings: Any) -> str:
    return warm_up(record_of(ask(family, task=task, updates=updates, settings=settings, recipe={"batch": 32})))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kl_warmup": 500}, "The KL term counts in full from update 500 of 2,500 on (0.32 epochs)."),
        ({"kl_warmup_epochs": 1.5}, "The KL term counts in full from update 2,344 of 2,500 on (1.5 epochs)."),
        ({}, "The KL term counts in full from the first update on."),
        ({"free_bits": 0.5}, "The KL term counts in full from the first update on; 0.5 nats of each latent are free."),
        (
            {"kl_warmup_epochs": 2.0},
            "The KL term never counts in full: its weight rises to 1 in 3,125 updates (2 epochs), and 2,500 are made.",
        ),
    ],
)
def test_when_it_counts_in_full(settings: dict[str, Any], sentence: str) -> None:
    assert said(**settings) == sentence


def test_where_the_training_images_are_not_known_epochs_are_not_made_up() -> None:
    assert said(task="imagenet32", kl_warmup=500) == "The KL term counts in full from update 500 of 2,500 on."
    assert said(task="imagenet32", kl_warmup_epochs=1.5) == "The KL term counts in full after 1.5 epochs."


def test_of_what_has_no_latents_nothing_is_said() -> None:
    assert said("gated-pixelcnn") == said("histogram") == ""


def test_both_pages_say_it_of_the_run_with_latents_alone(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 0.15, task="mnist-fixed")
    add_run(tmp_path, "pixelvae", 0.16, task="mnist-fixed", updates=2500, settings={"kl_warmup": 500}, recipe={"batch": 32})
    report = build_report(tmp_path)
    for page in (write_markdown(report).read_text(), write_html(report).read_text()):
        assert page.count("The KL term counts in full from update 500 of 2,500 on (0.32 epochs).") == 1
        assert page.count("The KL term") == 1
