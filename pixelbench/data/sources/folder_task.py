"""Tasks made of a folder of images: `folder:PATH`, and `imagenet32` and `imagenet64`, whose folders lie in the data folder."""

import os
import re
import shlex
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from pixelbench.data.download.progress import ReportStep
from pixelbench.data.folder import data_folder
from pixelbench.data.prepare.decode import Shape
from pixelbench.data.prepare.decoded import Manifest, changes, map_images, mark_used, place, places, prepared_root, read_manifest
from pixelbench.data.prepare.listing import EXTENSIONS, Contents, Found, look, printable, survey
from pixelbench.data.prepare.splits import VALIDATION_MOST
from pixelbench.data.task import Task, TaskData
from pixelbench.errors import UserError, shortened

PREFIX = "folder:"
LEVELS = 256
#: Validation images of the small ImageNet that PixelRNN's authors published, and of the other one that goes by that name.
PIXELRNN_IMAGES, OTHER_IMAGES = 49_999, 50_000


@dataclass(frozen=True)
class Source:
    """A folder of images as a task: its name in records, where it is, how a user calls it, and which side its images must have."""

    name: str
    folder: Path
    called: str
    side: int | None = None

    @property
    def where(self) -> Path:
        """Where its arrays lie, or would."""
        return place(self.name, self.folder)

    @property
    def command(self) -> str:
        """The command that prepares it."""
        return f"pixelbench fetch {shlex.quote(self.called)}"


def folder_task(path: Path) -> Task:
    """The images in a folder of the user's.

    Raises:
        UserError: there is no such folder, it does not have the layout, or it lies in the folder of prepared arrays.
    """
    if "\0" in str(path):
        raise UserError(f"There is no folder '{shortened(printable(str(path)))}': no name holds a zero byte.")
    folder = Path(os.path.abspath(os.path.expanduser(path)))  # no shell expands the ~ of `folder:~/birds`
    real = Path(os.path.realpath(folder))
    if Path(os.path.realpath(prepared_root())) in (real, *real.parents):
        raise UserError(f"'{path}' lies in '{prepared_root()}', where decoded images are kept; name the folder with the images themselves.")
    source = Source(f"folder-{_safe(folder.name)}", folder, f"{PREFIX}{path}")
    manifest = read_manifest(source.where)
    if manifest is None:
        return _task(source, _shape(folder), None)
    mark_used(source.where)
    return _task(source, manifest.shape, manifest)


def imagenet_task(side: int) -> Task:
    """The small ImageNet of that side; never raises, since its folder may well not be there."""
    name = f"imagenet{side}"
    source = Source(name, data_folder() / name, name, side)
    task = _task(source, (3, side, side), read_manifest(source.where))
    return replace(task, published_split="validation", published_images=PIXELRNN_IMAGES)


def prepared_task(name: str) -> Task | None:
    """The task of a record's name, such as `folder-birds`, from what was prepared, though its folder may be gone; None where nothing was.

    Of several folders of that name it is the one used last.
    """
    for where in places(name):
        if manifest := read_manifest(where):
            return _task(Source(name, Path(manifest.source), f"{PREFIX}{manifest.source}"), manifest.shape, manifest, prepared_only=True)
    return None


def missing(source: Source) -> str | None:
    """The reason why it is not there or not up to date, as one sentence; looks at names, sizes and times only."""
    try:
        contents = _contents(source)
    except UserError as error:
        return str(error)
    manifest = read_manifest(source.where)
    if manifest is None:
        return f"The images in '{source.folder}' are not prepared yet; say `{source.command}`."
    if manifest.listing == contents.digest:
        return None
    changed = _changed(source)
    which = f" ({len(changed):,} of them; the first is '{printable(changed[0])}')" if changed else ""
    return f"The files in '{source.folder}' were changed since they were prepared{which}; say `{source.command}`."


def obtain(source: Source, report: ReportStep, *, skip_damaged: bool = False, allow_overlap: bool = False) -> None:
    """Prepare the images, or do nothing where they are; see `Obtain`. The splits of the small ImageNets are what they are."""
    from pixelbench.data.prepare.folder import Accepted, prepare  # not for planning: locks and processes

    _contents(source)
    accepted = Accepted(skip_damaged, allow_overlap or source.side is not None)
    prepare(source.where, source.folder, report, side=source.side, command=source.command, accepted=accepted)


def _contents(source: Source) -> Contents:
    try:
        return look(source.folder)
    except UserError as error:
        if source.side is None:
            raise
        tars = f"train_{source.side}x{source.side}.tar and valid_{source.side}x{source.side}.tar"
        raise UserError(
            f"Task '{source.name}' is prepared by `{source.command}` from the small ImageNet of PixelRNN's authors ({tars}, unpacked into "
            f"train/ and valid/), which you must get yourself: {error}"
        ) from None


def _changed(source: Source) -> list[str]:
    """The paths of files that are new, gone or not as they were."""
    now: dict[str, bytes] = {}

    def keep(found: Found) -> None:
        now[found.path] = found.stamp

    survey(source.folder, keep)
    return changes(source.where, now)


@cache
def _shape(folder: Path) -> Shape:
    """Of a folder that is not prepared, by the headers of some of its training images; once a process."""
    from pixelbench.data.prepare.folder import images_shape

    names: list[str] = []

    def keep(found: Found) -> None:
        if found.folder == "train":
            names.append(found.path)

    survey(folder, keep)
    return images_shape(folder, names, None)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60].strip("-.") or "images"


def _task(source: Source, shape: Shape, manifest: Manifest | None, *, prepared_only: bool = False) -> Task:
    channels, height, width = shape
    kind = "Small ImageNet" if source.side else f"Images '{source.name.removeprefix('folder-')}'"
    images = None if manifest is None else manifest.images
    return Task(
        name=source.name,
        title=f"{kind} {height}x{width}{' RGB' if channels == 3 else ''}, {LEVELS} levels",
        channels=channels,
        height=height,
        width=width,
        levels=LEVELS,
        digest="" if manifest is None else manifest.digest,
        preprocessing=preprocessing(source.side is not None, channels, manifest),
        split_rule=_THREE if manifest and "test" in manifest.files else _TWO,
        source=_IMAGENET if source.side else "A folder of the user's own; not shipped.",
        builder=partial(_build, source, manifest),
        sizes=None if images is None else (images["train"], images["validation"], images["test"]),
        missing=(lambda: None) if prepared_only else partial(missing, source),
        obtain=None if prepared_only else partial(obtain, source),
        mapped=True,
        remarks=() if manifest is None else _remarks(manifest),
    )


def _build(source: Source, manifest: Manifest | None) -> TaskData:
    """Map the arrays, if they are still those that the task was made of."""
    now = read_manifest(source.where)
    if manifest is None or now is None:
        raise UserError(missing(source) or f"The images in '{source.folder}' were prepared only now; start again.")
    if now.digest != manifest.digest:
        raise UserError(f"The images in '{source.folder}' were prepared again in the meantime; start again.")
    return map_images(source.where, now)


def preprocessing(imagenet: bool, channels: int, manifest: Manifest | None) -> str:
    """The sentence for records and reports. It names no path and no time, since it goes into the run key."""
    kind = "RGB" if channels == 3 else "grey"
    plain = f"Decoded as {kind} of 8 bits a channel, pixel values as they are stored (no colour profile, gamma or rotation applied)."
    if manifest is None:
        return plain
    said = [plain, f"Files: {', '.join(f'{count:,} in {folder}/' for folder, count in manifest.files.items())}."]
    if manifest.grey:
        said.append(f"Grey files made RGB: {manifest.grey:,}.")
    if manifest.left_out:
        said.append(f"Files left out: {', '.join(f'{count:,} {kind}' for kind, count in manifest.left_out.items())}.")
    for split, earlier in (("validation", "train"), ("test", "train or validation")):
        if count := manifest.overlap.get(split):
            said.append(f"Images of {split} that are in {earlier} too: {count:,}.")
    if imagenet:
        said.append(_which_imagenet(manifest.files["valid"]))
    return " ".join(said)


def _remarks(manifest: Manifest) -> tuple[str, ...]:
    """The files that were not looked at, since a folder of other files than expected may be half a data set."""
    if not manifest.ignored:
        return ()
    more = f" and {manifest.ignored - len(manifest.ignored_names):,} more" if manifest.ignored > len(manifest.ignored_names) else ""
    names = f"{', '.join(manifest.ignored_names)}{more}"
    return (f"Passed over in '{manifest.source}', where only {', '.join(EXTENSIONS)} are read: {manifest.ignored:,} ({names}).",)


def _which_imagenet(count: int) -> str:
    """Two incompatible sets go by the name of small ImageNet; published figures are of the first."""
    if count == PIXELRNN_IMAGES:
        return f"{count:,} validation images: the small ImageNet of PixelRNN, on which published figures are."
    if count == OTHER_IMAGES:
        return f"{count:,} validation images: not the small ImageNet of PixelRNN ({PIXELRNN_IMAGES:,}), so not that of published figures."
    return (
        f"{count:,} validation images: neither the small ImageNet of PixelRNN ({PIXELRNN_IMAGES:,}) nor the other one ({OTHER_IMAGES:,})."
    )


_DEALT = "The images of a split other than train are taken one of each sub-directory in turn. A cluster is an image."
_TWO = (
    f"The images in valid/ are test; of those in train/ a tenth, but not more than {VALIDATION_MOST:,} and at least one, evenly spaced in "
    f"the order of their names, are validation, and the others train. {_DEALT}"
)
_THREE = f"The images in train/, valid/ and test/ are train, validation and test. {_DEALT}"
_IMAGENET = (
    "ImageNet (O. Russakovsky et al. 2015; for research only) downsampled by A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu (2016); "
    "from a folder that the user gives, not shipped."
)
