"""Which data folders were opened to the last image before, so that no run waits for it twice."""

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

import PIL

from ccafl.datasets import SPLITS, Report
from ccafl.paths import Home, replace_text
from ccafl.store.database import secure_folder

_RULES = 1  # raised when the check finds more than it did


@dataclass(frozen=True, slots=True)
class Opened:
    """What is remembered of a data folder as it is now: nothing, or the warnings of its check."""

    report: Report
    home: Home
    path: Path

    @classmethod
    def of(cls, report: Report, home: Home) -> Self:
        """The memory of a folder; a file that is added, changed or replaced makes it another."""
        digest = sha256(f"{_RULES} {PIL.__version__}\n".encode())
        for path in _paths(report):
            try:
                status = path.stat()
                line = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n"
            except OSError as error:  # the check will say so
                line = f"{path}\0{error.errno}\n"
            digest.update(line.encode(errors="surrogateescape"))
        return cls(report, home, home.opened / f"{digest.hexdigest()}.json")

    def recall(self) -> Report | None:
        """The whole report, if the folder passed before; None if it must be opened."""
        try:
            warnings = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        count = len(_paths(self.report))
        return self.report.with_images([], [str(warning) for warning in warnings], opened=count)

    def remember(self, whole: Report) -> None:
        """Keep the warnings of a folder that passed; where that fails it is opened again."""
        found = whole.warnings[len(self.report.warnings) :]
        secure_folder(self.home.root)
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_text(self.path, json.dumps(found))


def _paths(report: Report) -> list[Path]:
    assert report.dataset is not None, "only a usable folder is opened"
    return [record.path for split in SPLITS for record in report.dataset.split(split)]
