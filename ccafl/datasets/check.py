"""The check of a data folder: names and counts, then every image opened."""

import struct
import warnings
import zlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ccafl.datasets.files import Problem, quote, unreadable
from ccafl.datasets.records import SPLITS
from ccafl.datasets.report import Report, examine
from ccafl.layout_names import LayoutChoice
from ccafl.limits import cpu_cores

# no other kind of file is tried: Pillow hands some of them to programs of the system
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MAX_PIXELS = 2**25  # 100 MB when decoded, in each thread; Pillow alone lets more pass
# told the activity, what is done and what there is in all, 0 where that is not known
Tell = Callable[[str, int, int], None]
_CHUNK = 64  # images between two yields, a moment's work
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# what Pillow's decoders raise on damaged files
DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency, which is dropped",
    "P": "in the colours of a palette",
    "PA": "in the colours of a palette with transparency, which is dropped",
    "RGBA": "with transparency, which is dropped",
    "CMYK": "in the colours of print",
    "I;16": "grey of 16 bits, of which values above 255 are cut",
    "I": "grey of 32 bits, of which values above 255 are cut",
}


_ADVICE = ". Unpack the data set again, or remove the file."


@dataclass(frozen=True, slots=True)
class Step:
    """How far a check is; `total` is 0 where it is not known."""

    activity: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Look:
    """What opening an image gave: its mode, or what is wrong."""

    path: Path
    mode: str = "RGB"
    fault: str = ""


def check(
    root: Path, *, layout: LayoutChoice = "auto", fast: bool = False
) -> Generator[Step, None, Report]:
    """Check a data folder step by step; close the generator to stop.

    No thread works while the generator waits at a yield, and none is left after its end.

    Args:
        root: the data folder.
        layout: as for `examine`.
        fast: open no image.

    Returns:
        What was found, as the value of the generator.
    """
    yield Step("reading names", 0, 0)
    report = examine(root, layout)
    return report if fast else (yield from open_images(report))


def open_images(report: Report) -> Generator[Step, None, Report]:
    """The second half of `check`: open every image of a folder whose names were read."""
    if report.dataset is None:
        return report
    dataset = report.dataset
    paths = [record.path for split in SPLITS for record in dataset.split(split)]
    looks = yield from _open_all(paths)
    problems = [Problem(look.fault, look.path) for look in looks if look.fault]
    return report.with_images(problems, _mode_warnings(looks, len(paths)), opened=len(paths))


def work_off(steps: Generator[Step, None, Report], tell: Tell) -> Report:
    """Work a check off and give what it ends with; what `tell` raises stops it."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as ended:
                report: Report = ended.value
                return report
            tell(step.activity, step.done, step.total)


def _open_all(paths: Sequence[Path]) -> Generator[Step, None, list[_Look]]:
    # for the whole process and for good: filters cannot be set for some threads only
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of odd metadata
    odd: list[_Look] = []
    with ThreadPoolExecutor(min(16, cpu_cores())) as pool:
        for start in range(0, len(paths), _CHUNK):
            yield Step("opening images", start, len(paths))
            looks = pool.map(_look, paths[start : start + _CHUNK])
            odd += [look for look in looks if look.fault or look.mode != "RGB"]
    yield Step("opening images", len(paths), len(paths))
    return odd


def _look(path: Path) -> _Look:
    try:
        if path.stat().st_size == 0:
            return _Look(path, fault=f"{quote(path)} is empty (0 bytes){_ADVICE}")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return _Look(path, fault=_too_large(path))
            image.load()
            return _Look(path, mode=image.mode)
    except _BOMB:
        return _Look(path, fault=_too_large(path))
    except DAMAGE as error:
        return _Look(path, fault=_fault(path, error))


def _too_large(path: Path) -> str:
    return (
        f"{quote(path)} has more than {MAX_PIXELS:,} pixels, too many for a picture of a person. "
        "Make it smaller or remove it."
    )


def _fault(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return str(unreadable(path, error))
    what = f"is cut or damaged ({error})"
    if isinstance(error, UnidentifiedImageError):
        what = f"is no {', '.join(FORMATS)} image"
    return f"{quote(path)} {what}{_ADVICE}"


def _mode_warnings(looks: Sequence[_Look], opened: int) -> list[str]:
    """One sentence for each way of not being RGB; such images are converted."""
    found: dict[str, list[Path]] = {}
    for look in looks:
        if not look.fault:
            found.setdefault(look.mode, []).append(look.path)
    return [
        f"Not RGB but {_MODES.get(mode, f'of mode {mode}')}: {len(paths):,} of {opened:,} images, "
        f"the first: {quote(paths[0])}. They are converted when they are loaded."
        for mode, paths in found.items()
    ]
