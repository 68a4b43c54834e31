"""Somebody's modules as models: whatever they return, and however images enter, the laws of our own hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelbench.causality import check_causality
from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.likelihood import sequential_nats
from pixelbench.experiments import stages
from pixelbench.experiments.evaluating.evaluate import evaluate_model, protocol
from pixelbench.experiments.evaluating.keep import keep
from pixelbench.experiments.foreign.likelihood import causality_of_likelihood, certify_likelihood
from pixelbench.experiments.foreign.own_sampler import check_own_sampler
from pixelbench.experiments.foreign.wrapped import LikelihoodModel
from pixelbench.experiments.run.certify import certify
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec

HERE = Path(__file__).parent
#: Factory, (C, H, W), levels, settings.
MODULES: dict[str, tuple[str, tuple[int, int, int], int, dict[str, Any]]] = {
    "masked-cnn": ("make", (1, 5, 4), 5, {}),
    "colours": ("make_colours", (3, 4, 3), 3, {"module": {"output": "b (c k) h w"}}),
    "distribution": ("make_distribution", (1, 4, 5), 4, {}),
    "hugging-face-style": ("make_hugging", (1, 4, 5), 4, {}),
    "made-in-its-own-order": ("make_made", (1, 3, 4), 2, {"module": {"order": list(range(11, -1, -1)), "head": "bernoulli"}}),
    "decoder-over-tokens": ("make_decoder", (1, 3, 4), 5, {}),
    "logistic-mixture": ("make_mixture", (3, 3, 4), 8, {"module": {"head": "logistic-mixture"}}),
    "with-a-training-loop-called-train": ("make_learning", (1, 4, 5), 4, {}),
    "class-conditional": ("make_classed", (1, 4, 5), 4, {"condition": "class", "classes": 3}),
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELBENCH_MODULES", str(HERE))


def build(name: str) -> AutoregressiveModel:
    factory, (channels, height, width), levels, settings = MODULES[name]
    torch.manual_seed(0)
    model = create_model(f"modules.py:{factory}", channels=channels, height=height, width=width, levels=levels, **settings)
    return model.double().eval()


def _spec(factory: str, shape: tuple[int, int, int], levels: int) -> RunSpec:
    channels, height, width = shape
    task = {"name": "none", "digest": "", "preprocessing": "", "channels": channels, "height": height, "width": width, "levels": levels}
    return RunSpec(task, "mine", f"modules.py:{factory}", 1, {}, {}, "cpu", 1, {}, 0)


def images_for(model: AutoregressiveModel, n: int = 3) -> torch.Tensor:
    return torch.randint(model.levels, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def condition_for(model: AutoregressiveModel, n: int = 3) -> tuple[torch.Tensor, ...]:
    return (torch.arange(n) % model.settings.classes,) if model.conditional else ()


@pytest.mark.parametrize("name", MODULES)
def test_conditionals_sum_to_one_and_are_the_likelihood(name: str) -> None:
    model = build(name)
    images, condition = images_for(model), condition_for(model)
    logp = model.conditionals(images, *condition)
    assert logp.shape == (3, model.levels, *model.shape)
    assert torch.allclose(logp.exp().sum(1), torch.ones(3, *model.shape, dtype=torch.float64), atol=1e-9)
    picked = logp.gather(1, images.long()[:, None])[:, 0].sum((1, 2, 3))
    assert torch.allclose(picked, model.log_prob(images, *condition), atol=1e-9)


@pytest.mark.by_default(3)
@pytest.mark.parametrize("name", MODULES)
def test_no_leak_is_found_in_its_own_order(name: str) -> None:
    model = build(name)
    report = check_causality(model.certifiable(), model.shape, levels=model.levels)
    assert report.verdict == "causal", report.summary()


@pytest.mark.parametrize("name", MODULES)
def test_what_is_drawn_is_what_is_scored(name: str) -> None:
    model = build(name)
    images, condition = images_for(model), condition_for(model)
    sequential = sequential_nats(model, images, *condition)
    assert sequential == pytest.approx(-model.log_prob(images, *condition).detach().numpy(), abs=1e-8)
    drawn = model.sample(2, condition=condition[0][:2] if condition else None, generator=torch.Generator().manual_seed(0))
    assert drawn.shape == (2, *model.shape)
    assert int(drawn.max()) < model.levels


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mixture_in_the_order_of_pixelcnn_pp_is_that_mixture(channels: int) -> None:
    """Against its definition, a component at a time: Salimans et al. 2017, section 2.2, equations 2 and 3, in the order of its code."""
    settings = {"module": {"head": "logistic-mixture"}}
    torch.manual_seed(0)
    model = create_model("modules.py:make_mixture", channels=channels, height=3, width=2, levels=8, **settings)
    model = model.double().eval()
    images, components = images_for(model), 2
    x = 2 * images.double() / 7 - 1
    raw = model.module(images.double() / 7).detach()
    weights, rest = raw[:, :components].log_softmax(1), raw[:, components:].unflatten(1, (channels, -1))
    total = []
    for k in range(components):
        logp = weights[:, k]
        for c in range(channels):
            mean, scale = rest[:, c, k], rest[:, c, components + k].clamp(min=-7).exp()
            if c > 0:
                coefficients = rest[:, :, 2 * components + k].tanh()  # of G by R, of B by R, of B by G
                mean = mean + (coefficients[:, 0] * x[:, 0] if c == 1 else coefficients[:, 1] * x[:, 0] + coefficients[:, 2] * x[:, 1])
            upper, lower = ((x[:, c] + 1 / 7 - mean) / scale).sigmoid(), ((x[:, c] - 1 / 7 - mean) / scale).sigmoid()
            upper, lower = upper.where(images[:, c] < 7, 1.0), lower.where(images[:, c] > 0, 0.0)
            logp = logp + (upper - lower).log()
        total.append(logp)
    expected = torch.stack(total).logsumexp(0).sum((1, 2))
    assert torch.allclose(model.log_prob(images).detach(), expected, atol=1e-9)


def test_a_training_loop_called_train_is_not_called_for_a_mode() -> None:
    model = build("with-a-training-loop-called-train")
    layers = model.get_submodule("module.thinned"), model.get_submodule("module.second")
    for mode in (True, False):
        model.train(mode)
        assert {layer.training for layer in (model, *layers)} == {mode}


def test_a_leak_stays_one() -> None:
    torch.manual_seed(0)
    model = create_model("modules.py:make_leaking", channels=1, height=5, width=4, levels=4)
    report = check_causality(model.certifiable(), model.shape, levels=4)
    assert report.verdict == "leaky"
    assert "sees-itself" in report.faults


def test_a_network_whose_fresh_weights_let_nothing_through_is_certified_after_a_step() -> None:
    spec = _spec("make_powerless", (1, 4, 3), 3)
    report = certify(spec, stages.build, None)
    assert report.after_step
    assert report.verdict == "causal"


def test_the_wrong_order_is_a_leak() -> None:
    model = create_model("modules.py:make_made", channels=1, height=3, width=4, levels=2, module={"head": "bernoulli"})
    assert check_causality(model.certifiable(), model.shape, levels=2).leaky


@pytest.mark.parametrize(
    ("factory", "levels", "settings", "said"),
    [
        ("mak", 4, {}, "Did you mean 'make'?"),
        ("make", 4, {"mapz": 3}, "Did you mean 'maps'?"),
        ("make", 4, {"module": {"haed": "categorical"}}, "did you mean 'head'?"),
        ("make", 4, {"module": {"head": "categoricle"}}, "did you mean 'categorical'?"),
        ("make", 4, {"module": {"head": "bernoulli"}}, "for images of 2 levels, these have 4"),
        ("make", 4, {"module": {"order": [0, 1]}}, "has 2 places, and the images have 20 sub-pixels"),
        ("make", 4, {"module": {"order": [0, 0]}}, "must hold each raster place"),
        ("make", 4, {"condition": "class"}, "belong together"),
        ("make_nothing", 4, {}, "made a str, not an nn.Module"),
        ("make_needy", 4, {}, "depth"),
        ("make_mixture", 4, {}, "module.head = 'logistic-mixture'"),
        ("make", 4, {"module": {"head": "distribution"}}, "needs a torch.distributions object"),
    ],
)
def test_wrong_use_is_a_sentence(factory: str, levels: int, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as raised:
        create_model(f"modules.py:{factory}", channels=1, height=5, width=4, levels=levels, **settings)
    assert said in str(raised.value)


def test_there_is_no_such_file() -> None:
    with pytest.raises(UserError, match=r"There is no file 'modulez.py'.*PIXELBENCH_MODULES"):
        create_model("modulez.py:make", channels=1, height=5, width=4, levels=4)


@pytest.mark.parametrize("name", ["module", "condition", "reading", "arguments"])
def test_a_parameter_of_a_reserved_name_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.py").write_text(f"def make({name}=3): ...\n")
    monkeypatch.setenv("PIXELBENCH_MODULES", str(tmp_path))
    with pytest.raises(UserError, match=f"parameter '{name}'"):
        create_model("odd.py:make", channels=1, height=5, width=4, levels=4)


def test_a_likelihood_alone_is_scored_and_nothing_is_claimed() -> None:
    torch.manual_seed(0)
    whole = create_model("modules.py:make_likelihood", channels=1, height=5, width=4, levels=4, module={"head": "log_prob"})
    torch.manual_seed(0)
    parts = create_model("modules.py:make", channels=1, height=5, width=4, levels=4)
    images = images_for(whole)
    assert torch.allclose(whole.log_prob(images), parts.log_prob(images), atol=1e-4)
    assert whole.loss(images).item() == pytest.approx(parts.loss(images).item(), rel=1e-5)  # nats per sub-pixel
    with pytest.raises(UserError, match="no conditionals"):
        whole.conditionals(images)


def _likelihood(factory: str, **module: Any) -> LikelihoodModel:
    torch.manual_seed(0)
    settings = {"module": {"head": "log_prob", **module}}
    model = create_model(f"modules.py:{factory}", channels=1, height=5, width=4, levels=4, **settings)
    assert isinstance(model, LikelihoodModel)
    return model


def test_a_likelihood_alone_is_certified_where_tiny_images_sum_to_one() -> None:
    report = certify_likelihood(_likelihood("make_likelihood"), "mine")
    assert report.normalised
    assert causality_of_likelihood(report).status == "partial"
    with pytest.raises(UserError, match="not to 1: its log_prob is no log-likelihood"):
        certify_likelihood(_likelihood("make_unnormalised"), "mine")


def test_a_likelihood_that_nothing_can_show_is_refused() -> None:
    with pytest.raises(UserError, match=r"nothing shows that it is one: .*Let its factory take height, width and levels"):
        certify_likelihood(_likelihood("make_likelihood_at_5x4"), "mine")


def test_a_likelihood_is_drawn_from_by_its_own_method_unless_that_is_wrong() -> None:
    model = _likelihood("make_drawing_likelihood", sampler="sample")
    found = check_own_sampler(model)
    assert found is not None
    assert found.right
    assert replace(found, verdict="unchecked").usable(model)
    assert not replace(found, verdict="differs").usable(model)
    assert not replace(found, verdict="unchecked").usable(build("masked-cnn"))
    images = np.zeros((4, 1, 5, 4), np.uint8)
    spec = protocol(get_task("digits"), "mine", samples=2)
    assert stages.draw(model, images, spec, leaky=False) is None
    drawn = stages.draw(model, images, spec, leaky=False, own=replace(found, verdict="unchecked"))
    assert drawn is not None
    assert (drawn.method, drawn.canvas_agreement) == ("own", None)
    assert (drawn.sampler or "").startswith("Drawn by the module's own sample (unchecked)")


def test_what_is_kept_of_an_evaluation_says_on_which_device_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = create_model("modules.py:make", channels=1, height=8, width=8, levels=17)
    evaluation = evaluate_model(model, "digits", name="modules.py:make", limit=2, samples=1, check_seconds=1.0)
    monkeypatch.setattr(AutoregressiveModel, "device", property(lambda self: torch.device("cuda:0")))  # stands for a GPU
    folder = keep(replace(evaluation, weights="0" * 64), model, "modules.py:make", {}, "mine", tmp_path)
    provenance = read_record(folder).provenance
    assert provenance.device.startswith("cuda:0")
    assert not provenance.deterministic
