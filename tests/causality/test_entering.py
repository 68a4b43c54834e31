"""What people call a model: vectors, tokens, codes, sequences, functions, distributions, further arguments."""

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.limits.threads import threads_that_pay
from pixelbench.errors import UserError
from pixelbench.testing import assert_causal

T = 9


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(3)


class Decoder(nn.Module):
    """A transformer over tokens, as it is written for text."""

    def __init__(self, *, shifted: bool = True, masked: bool = True, vocabulary: int = 5) -> None:
        super().__init__()
        self.shifted, self.masked = shifted, masked
        self.embed, self.place = nn.Embedding(vocabulary + 1, 8), nn.Parameter(torch.randn(T, 8))
        self.layer, self.leave = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), nn.Linear(8, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length = tokens.shape
        if self.shifted:
            tokens = torch.cat([tokens.new_full((batch, 1), self.embed.num_embeddings - 1), tokens[:, :-1]], 1)
        h = self.embed(tokens) + self.place[:length]
        mask = torch.full((length, length), float("-inf"), dtype=h.dtype).triu(1) if self.masked else None
        return self.leave(self.layer(h, mask))


class Wave(nn.Module):
    """A stack of dilated causal convolutions over (B, 1, T)."""

    def __init__(self, shift: int = 1) -> None:
        super().__init__()
        self.shift = shift
        self.first = nn.Conv1d(1, 6, 2)
        self.layers = nn.ModuleList(nn.Conv1d(6, 6, 2, dilation=2**i) for i in range(3))
        self.leave = nn.Conv1d(6, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        x = F.pad(x.to(self.first.weight.dtype), (1 + self.shift, 0))[..., : length + 1]
        h = self.first(x)
        for i, layer in enumerate(self.layers):
            h = h + torch.tanh(layer(F.pad(h, (2**i, 0))))
        return self.leave(h)


def sequence(module: Any, **options: Any) -> CausalityReport:
    return check_causality(module, (T,), levels=5, **options)


def test_a_transformer_over_tokens_is_checked_as_it_is() -> None:
    report = sequence(Decoder())
    assert (report.verdict, report.shape, report.method.input) == ("causal", (1, 1, T), "int")
    unshifted = sequence(Decoder(shifted=False))
    assert (unshifted.verdict, unshifted.faults) == ("leaky", ("sees-itself",))
    assert "start token" in unshifted.diagnosis[0].sentence
    assert sequence(Decoder(masked=False)).verdict == "leaky"


def test_a_wavenet_is_checked_as_it_is() -> None:
    assert sequence(Wave()).verdict == "causal"
    off_by_one = sequence(Wave(shift=0))
    assert (off_by_one.verdict, off_by_one.faults) == ("leaky", ("sees-itself",))


def test_functions_are_modules_too() -> None:
    decoder = Decoder()
    for call in (lambda tokens: decoder(tokens), functools.partial(decoder), decoder.forward):
        assert sequence(call).verdict == "causal"
    leaking = Decoder(shifted=False)
    with pytest.raises(AssertionError, match=r"^Not causal"):
        assert_causal(lambda tokens: leaking(tokens), (T,), levels=5)
    assert decoder.leave.weight.dtype == torch.float32


class Labelled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.decoder = nn.Embedding(3, 5), Decoder()

    def forward(self, tokens: Tensor, label: Tensor) -> Tensor:
        return self.decoder(tokens) + self.embed(label)[:, None]


def test_further_arguments_are_bound_and_their_lack_is_explained() -> None:
    assert sequence(Labelled(), args={"label": 1}).verdict == "causal"
    with pytest.raises(UserError, match=r"further required arguments \('label'\): bind them with --arg"):
        sequence(Labelled())


def test_distributions_and_lone_tensors_are_taken_as_they_are() -> None:
    decoder = Decoder()
    categorical = torch.distributions.Categorical
    assert sequence(lambda tokens: categorical(logits=decoder(tokens))).verdict == "causal"
    assert sequence(lambda tokens: torch.distributions.Independent(categorical(logits=decoder(tokens)), 1)).verdict == "causal"
    assert sequence(lambda tokens: (decoder(tokens), None, {})).verdict == "causal"
    with pytest.raises(UserError, match="of 2 parts"):
        sequence(lambda tokens: (decoder(tokens), decoder(tokens)))


def test_vectors_of_colours_are_asked_about() -> None:
    class Dense(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return F.linear(input.to(self.weight.dtype), self.weight.tril(-1), self.bias)

    with pytest.raises(UserError, match="How do images enter"):
        check_causality(Dense(18, 18), (3, 2, 3), levels=4, output="b (h w c)")
    told: dict[str, Any] = {"input_layout": "b (h w c)", "output": "b (h w c)"}
    assert check_causality(Dense(18, 18), (3, 2, 3), levels=4, **told).verdict == "causal"
    assert check_causality(Dense(20, 20), (1, 5, 4), levels=4).verdict == "causal"
    with pytest.raises(UserError, match="has no 'c'"):
        check_causality(Dense(18, 18), (3, 2, 3), levels=4, input_layout="b h w")


class Closed(nn.Module):
    """Reaches its layer by a function alone."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        layer = nn.Linear(T, T)
        if masked:
            with torch.no_grad():
                layer.weight.copy_(layer.weight.tril(-1))
        self.call = lambda x, layer=layer: F.linear(x.to(layer.weight.dtype), layer.weight, layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


def test_a_layer_that_only_a_function_holds_is_copied_and_trained() -> None:
    module = Closed(masked=True)
    layer = (module.call.__defaults__ or (None,))[0]
    assert isinstance(layer, nn.Linear)
    before = layer.weight.clone()
    assert sequence(module, input_layout="b (h w)", output="b (h w)").verdict == "causal"
    assert sequence(module, input_layout="b (h w)", output="b (h w)", after_step=True).verdict == "leaky"
    assert torch.equal(layer.weight, before)
    assert sequence(Closed(masked=False), input_layout="b (h w)", output="b (h w)").verdict == "leaky"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_module_is_checked_in_its_eager_form() -> None:
    report = sequence(torch.compile(Decoder()))
    assert (report.verdict, report.target) == ("causal", "Decoder")
    assert report.notes == ("A compiled module was checked in its eager form.",)


def test_threads_are_what_they_were_afterwards() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threads_that_pay(lambda images: torch.zeros(1), torch.zeros(1).numpy()):  # type: ignore[arg-type]
            assert torch.get_num_threads() in (1, 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
