"""Progress on stderr: plain lines elsewhere, one bar a run on a terminal, and a leak marked in both."""

import io

import pytest
from rich.console import Console

from pixelbench.cli import progress as module
from pixelbench.cli.progress import PlainLines, progress

RUN = {"run": "photos/gated-pixelcnn seed 0", "key": "0"}
STEP = {**RUN, "event": "progress", "update": 50, "updates": 500, "train_bits_per_dim": 2.0, "validation_bits_per_dim": 1.5}
SCORE = {"bits_per_dim": 0.0005, "causal": "leaky", "seconds": 36.0, "error": None}
END = {**RUN, "event": "end", "status": "done", "elsewhere": False, **SCORE}
ENDED = "photos/gated-pixelcnn seed 0: done, 0.0005 bits/dim (not causal), 36 s"


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 11.0, 12.0, 13.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    show = PlainLines(2)
    for event in ({**RUN, "event": "start"}, STEP, STEP, STEP, END):
        show(event)
    assert capsys.readouterr().err.splitlines() == [
        "photos/gated-pixelcnn seed 0: started",
        "photos/gated-pixelcnn seed 0: 50 of 500 updates, 1.500 bits/dim on validation images",
        f"[1/2] {ENDED}",
    ]


def test_a_failure_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines(1)({**RUN, "event": "end", "status": "failed", "elsewhere": True, "error": "the loss is not finite"})
    assert capsys.readouterr().err == "[1/1] photos/gated-pixelcnn seed 0: failed by another process, the loss is not finite\n"


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, no_color=True, color_system=None)
    monkeypatch.setattr(module, "stderr", lambda: console)
    with progress("quick", 3) as show:
        for event in ({**RUN, "event": "start"}, {**RUN, "event": "stage", "stage": "train"}, STEP):
            show(event)
        show.bars.refresh()  # type: ignore[attr-defined]
        during = out.getvalue()
        show(END)
    assert "50/500" in during
    assert "1.500 bits/dim on validation images" in during
    assert ENDED in out.getvalue()
    last = out.getvalue().splitlines()[-2]  # the very last shows the cursor again
    assert "1/3" in last
    assert "gated" not in last


def test_no_bars_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("quick", 1) as show:
        show(END)
    assert capsys.readouterr().err == f"[1/1] {ENDED}\n"
