"""Models of sequences as people write them: right verdicts and names, each beside its mirror image."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check_causality

T, VOCABULARY = 9, 5


class Block(nn.Module):
    """Pre-norm attention and MLP; with a cache, keys and values of earlier steps come from it."""

    def __init__(self, width: int, heads: int, *, masked: bool, diagonal: int = 1) -> None:
        super().__init__()
        self.heads, self.masked = heads, masked
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.register_buffer("later", torch.ones(T, T, dtype=torch.bool).triu(diagonal))

    def forward(self, x: Tensor, cache: dict[str, Tensor] | None = None) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, 2))
        if cache is not None:
            k, v = (torch.cat([cache[name], new], 2) if name in cache else new for name, new in (("k", k), ("v", v)))
            cache["k"], cache["v"] = k, v
        scores = q @ k.mT / math.sqrt(k.shape[-1])
        if self.masked and cache is None:
            scores = scores.masked_fill(self.get_buffer("later")[:length, :length], -torch.inf)
        x = x + self.project((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm_mlp(x))


class GPT(nn.Module):
    """Token and position embeddings, blocks, a head without bias; returns (logits, loss), the loss None without targets."""

    def __init__(self, *, masked: bool = True, start: bool = True, diagonal: int = 1) -> None:
        super().__init__()
        self.start = start
        self.tokens, self.places = nn.Embedding(VOCABULARY + 1, 16), nn.Embedding(T, 16)
        self.blocks = nn.ModuleList(Block(16, 2, masked=masked, diagonal=diagonal) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if self.start:
            tokens = F.pad(tokens, (1, 0), value=VOCABULARY)[:, :-1]
        h = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            h = block(h)
        logits = self.head(self.norm(h))
        return logits, None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Cached(GPT):
    """Decodes step by step with a cache; `late` feeds each token before its own logits, `kept` begins with what the last call left."""

    def __init__(self, *, late: bool = False, kept: bool = False) -> None:
        super().__init__()
        self.late, self.kept = late, kept
        self.cache: list[dict[str, Tensor]] = [{} for _ in self.blocks]

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        last = [{name: part[:, :, -1:].mean(0, True).expand(len(tokens), -1, -1, -1) for name, part in kept.items()} for kept in self.cache]
        self.cache = last if self.kept else [{} for _ in self.blocks]
        entering = tokens if self.late else F.pad(tokens, (1, 0), value=VOCABULARY)[:, :-1]
        return torch.stack([self._step(entering[:, place], place) for place in range(tokens.shape[1])], 1)

    def _step(self, token: Tensor, place: int) -> Tensor:
        h = (self.tokens(token) + self.places.weight[place])[:, None]
        for block, cache in zip(self.blocks, self.cache, strict=True):
            h = block(h, cache)
        return self.head(self.norm(h))[:, 0]


class Recurrent(nn.Module):
    def __init__(self, *, both: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY + 1, 8)
        self.scan, self.out = nn.LSTM(8, 8, batch_first=True, bidirectional=both), nn.Linear(16 if both else 8, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.scan(self.embed(F.pad(tokens, (1, 0), value=VOCABULARY)[:, :-1]))[0])


class WaveNet(nn.Module):
    """Gated dilated convolutions with residual and skip connections over (B, 1, T); `pad`: on which side each is padded."""

    def __init__(self, *, shift: int = 1, pad: str = "left", layers: int = 3) -> None:
        super().__init__()
        self.shift, self.pad = shift, pad
        self.enter = nn.Conv1d(1, 8, 1)
        self.gated = nn.ModuleList(nn.Conv1d(8, 16, 2, dilation=2**i) for i in range(layers))
        self.skip = nn.ModuleList(nn.Conv1d(8, 8, 1) for _ in range(layers))
        self.out = nn.Sequential(nn.ReLU(), nn.Conv1d(8, 8, 1), nn.ReLU(), nn.Conv1d(8, VOCABULARY, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.enter(F.pad(x.to(self.enter.weight.dtype), (self.shift, 0))[..., : x.shape[-1]])
        skipped: Any = 0
        for i, (gated, skip) in enumerate(zip(self.gated, self.skip, strict=True)):
            reach = 2**i
            sides = {"left": (reach, 0), "right": (0, reach), "both": (reach // 2, reach - reach // 2)}
            value, gate = gated(F.pad(h, sides[self.pad])).chunk(2, 1)
            z = torch.tanh(value) * torch.sigmoid(gate)
            h, skipped = h + z, skipped + skip(z)
        return self.out(skipped)


def checked(module: nn.Module, length: int = T) -> CausalityReport:
    return check_causality(module, (length,), levels=VOCABULARY)


CLEAN: dict[str, Callable[[], nn.Module]] = {
    "GPT": GPT,
    "with a cache": Cached,
    "LSTM": lambda: Recurrent(both=False),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_model_of_tokens_is_causal_and_sees_all(name: str) -> None:
    torch.manual_seed(3)
    report = checked(CLEAN[name]())
    assert (report.verdict, report.missing_kinds, report.diagnosis) == ("causal", 0, ())


LEAKY: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "without a start token": (lambda: GPT(start=False), "sees-itself", "put a start token first"),
    "a mask off by two": (lambda: GPT(diagonal=3), "looks-ahead", "move the mask's diagonal"),
    "without a mask": (lambda: GPT(masked=False), "normalised-over-space", "attention without its mask"),
    "a cache that is fed too early": (lambda: Cached(late=True), "sees-itself", "put a start token first"),
    "both directions": (lambda: Recurrent(both=True), "backward-recurrence", "over the sequence in both directions"),
}


@pytest.mark.by_default(2)
@pytest.mark.parametrize("name", LEAKY)
def test_a_leak_of_a_model_of_tokens_has_its_name(name: str) -> None:
    build, fault, said = LEAKY[name]
    torch.manual_seed(3)
    report = checked(build())
    assert (report.verdict, report.faults) == ("leaky", (fault,))
    assert said in report.diagnosis[0].sentence


def test_a_cache_that_is_kept_from_call_to_call_is_no_leak_within_an_image() -> None:
    torch.manual_seed(3)
    report = checked(Cached(kept=True))
    assert (report.verdict, report.leaky, report.faults) == ("stateful", False, ("sees-former-images",))


def test_a_wavenet_sees_as_far_as_its_dilations_reach() -> None:
    torch.manual_seed(3)
    report = checked(WaveNet(), 14)
    assert (report.verdict, report.context.columns_left, report.blind_spots, report.diagnosis) == ("causal", 8, 0, ())
    short = checked(WaveNet(layers=2), 14)
    assert (short.verdict, short.context.columns_left) == ("causal", 4)


@pytest.mark.parametrize(
    ("made", "fault"), [({"shift": 0}, "sees-itself"), ({"pad": "both"}, "looks-ahead"), ({"pad": "right"}, "looks-ahead")]
)
def test_a_wavenet_that_looks_ahead_is_named(made: dict[str, Any], fault: str) -> None:
    torch.manual_seed(3)
    report = checked(WaveNet(**made), 14)
    assert (report.verdict, report.faults) == ("leaky", (fault,))
