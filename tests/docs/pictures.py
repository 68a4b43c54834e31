"""The pictures of the README, from the committed results: `python -m tests.docs.pictures` makes them again, in docs/pictures.

The page's top is a screenshot by the system's Chromium; the lessons are cut from the sheets of samples that the runs left.
"""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import pixelbench as pb
from pixelbench.files.atomic import write_bytes

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
#: Width and height in CSS pixels: what a reader sees before scrolling.
VIEW = (1200, 700)
#: Colours of the palette that a screenshot of few colours is reduced to.
_COLOURS = 128
_GAP, _LINE, _FONT_SIZE = 12, 22, 16
_PAPER, _INK = (255, 255, 255), (30, 30, 30)

#: For each lesson the task, and the caption and variant of each block of samples; real images come first.
LESSONS = {
    "sees-itself": ("digits", [("causal", "gated-pixelcnn"), ("sees its own pixel", "gated-residual")]),
    "no-colour-conditioning": ("photos", [("G sees R, B sees R and G", "gated-pixelcnn"), ("no colour sees another", "gated-no-colour")]),
}


def lesson(task: str, variants: Sequence[tuple[str, str]], results: Path) -> bytes:
    """Real images, then the samples of each variant under its caption and its bits/dim, as one PNG."""
    frame = pb.load_results(results)
    blocks: list[tuple[list[str], Image.Image]] = []
    for caption, variant in variants:
        runs = frame.loc[(frame.task == task) & (frame.variant == variant) & (frame.budget == "quick")].sort_values(by="seed")
        real, drawn = _blocks(results / task / variant / runs.run_key.iloc[0] / "samples.png")
        blocks = blocks or [(["real test images"], real)]
        claim = f"{runs.bits_per_dim.mean():.3f} bits/dim{', not causal' if (runs.causal == 'leaky').any() else ''}"
        blocks.append(([caption, claim], drawn))
    return _packed(_side_by_side(blocks))


def page(html: Path) -> bytes:
    """The top of a report's page, in light colours, as PNG."""
    from playwright.sync_api import sync_playwright

    program = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": VIEW[0], "height": VIEW[1]}, color_scheme="light")
        shown.goto(html.as_uri())
        taken = shown.screenshot()
        browser.close()
    return _packed(Image.open(io.BytesIO(taken)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE))


def _blocks(sheet: Path) -> tuple[Image.Image, Image.Image]:
    """The first two grids of a sheet of samples: real images, and drawn ones from a canvas of zeros; both are square."""
    whole = Image.open(sheet)
    count = round(whole.width / whole.height)
    step = (whole.width - _GAP) // max(count, 2)
    side = step - _GAP
    top = whole.height - _GAP - side
    first, second = (whole.crop((_GAP + i * step, top, _GAP + i * step + side, top + side)) for i in range(2))
    return first, second


def _side_by_side(blocks: Sequence[tuple[list[str], Image.Image]]) -> Image.Image:
    font = ImageFont.load_default(size=_FONT_SIZE)
    top = _GAP + _LINE * max(len(lines) for lines, _ in blocks)
    sheet = Image.new("RGB", (_GAP + sum(grid.width + _GAP for _, grid in blocks), top + blocks[0][1].height + _GAP), _PAPER)
    draw, x = ImageDraw.Draw(sheet), _GAP
    for lines, grid in blocks:
        for i, line in enumerate(lines):
            draw.text((x, _GAP // 2 + i * _LINE), line, fill=_INK, font=font)
        sheet.paste(grid, (x, top))
        x += grid.width + _GAP
    return sheet


def _packed(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    write_bytes(PICTURES / "page.png", page(ROOT / "results" / "report.html"))
    for name, (task, variants) in LESSONS.items():
        write_bytes(PICTURES / f"{name}.png", lesson(task, variants, ROOT / "results"))
