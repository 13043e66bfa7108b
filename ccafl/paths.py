"""Where things lie in the state folder, and how a file is replaced as a whole.

No other module joins names. Folders are 0700 and files 0600: a run holds pictures' features and
paths of people's data, which are nobody else's business.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ccafl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run; everything a run writes is below it."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved config, as JSON."""
        return self.root / "config.json"

    @property
    def record(self) -> Path:
        """What the database knew of the run when it was added and when it ended, as JSON."""
        return self.root / "run.json"

    @property
    def lock(self) -> Path:
        """Held by the worker while it trains."""
        return self.root / "lock"

    @property
    def result(self) -> Path:
        """The run's own last word."""
        return self.root / "result.json"

    @property
    def console(self) -> Path:
        """What the worker printed."""
        return self.root / "console.log"

    @property
    def cancel(self) -> Path:
        """Exists when somebody asked the run to stop."""
        return self.root / "cancel"

    @property
    def checkpoints(self) -> Path:
        """The newest complete checkpoints, a folder per step."""
        return self.root / "checkpoints"

    @property
    def intra_end(self) -> Path:
        """The complete state at the end of intra."""
        return self.root / "intra-end"

    @property
    def best(self) -> Path:
        """Inference weights of the best evaluation."""
        return self.root / "best"

    @property
    def weights(self) -> Path:
        """Inference weights of the last evaluation."""
        return self.root / "model.safetensors"

    @property
    def prompts(self) -> Path:
        """The learned prompt tokens."""
        return self.root / "prompts.safetensors"

    @property
    def model(self) -> Path:
        """What the inference weights are: backbone, preprocessing, tokens, metrics."""
        return self.root / "model.json"

    def events(self, attempt: int) -> Path:
        """Event file of an attempt, counted from 1."""
        return self.root / f"events-{attempt}.jsonl"

    def attempts(self) -> list[int]:
        """The attempts that have an event file, first to last."""
        return _numbered(self.root, "events-", ".jsonl")

    def old_result(self, attempt: int) -> Path:
        """Where the result of an earlier attempt is kept once a new one starts."""
        return self.root / f"result-{attempt}.json"


@dataclass(frozen=True, slots=True)
class Home:
    """The state folder: the database of runs, one folder per run, the caches."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file of runs."""
        return self.root / "runs.db"

    @property
    def settings(self) -> Path:
        """What people set for the supervisor, as TOML; it need not exist."""
        return self.root / "settings.toml"

    @property
    def viewer(self) -> Path:
        """What the app remembers of how it was left, as JSON."""
        return self.root / "tui.json"

    @property
    def backups(self) -> Path:
        """Copies of the database, named by the day or by the schema version they hold."""
        return self.root / "backups"

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.root / "supervisor.lock"

    @property
    def log(self) -> Path:
        """What the supervisor printed."""
        return self.root / "supervisor.log"

    @property
    def copied(self) -> Path:
        """The newest text that the app copied and could not be sure of."""
        return self.root / "copy.txt"

    @property
    def runs(self) -> Path:
        """One folder per run."""
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        """What can be made again: demo data, prompts."""
        return self.root / "cache"

    @property
    def prompts(self) -> Path:
        """Learned prompts that other runs can use, one folder per entry."""
        return self.cache / "prompt"

    @property
    def opened(self) -> Path:
        """Data folders whose images were all opened once, one file per state of a folder."""
        return self.cache / "opened"

    def run(self, run_id: int) -> RunFolder:
        """Folder of a run; its name is the run's number, never text from a user."""
        return RunFolder(self.runs / str(run_id))

    def all_runs(self) -> list[int]:
        """The numbers of the runs that have a folder."""
        return _numbered(self.runs)

    def doomed(self, run_id: int) -> Path:
        """The name that the folder of a run has while it is deleted."""
        return self.runs / f".{run_id}.deleted"

    def all_doomed(self) -> list[int]:
        """The numbers of the runs whose deletion has begun."""
        return _numbered(self.runs, ".", ".deleted")

    def demo(self, seed: int) -> Path:
        """Where the demo data set of a seed is drawn once and kept."""
        return self.cache / "demo" / f"demo-{seed}"


def _numbered(folder: Path, before: str = "", after: str = "") -> list[int]:
    """The numbers, as we write them, in the names of a folder; other names are not ours."""
    name = re.compile(f"{re.escape(before)}([1-9][0-9]{{0,17}}){re.escape(after)}")
    found = (name.fullmatch(path.name) for path in folder.glob("*"))
    return sorted(int(match[1]) for match in found if match)


def find_home(option: Path | None) -> Home:
    """The state folder: `--home`, else `$CCAFL_HOME`, else the platform's user data folder.

    Raises:
        ConfigError: it lies in the home of an unknown user.
    """
    chosen = option or os.environ.get("CCAFL_HOME") or platformdirs.user_data_path("ccafl")
    try:
        return Home(Path(chosen).expanduser().absolute())
    except RuntimeError as error:
        raise ConfigError(
            f"The state folder {str(chosen)!r} names the home of an unknown user. Write its path "
            "in full, in --home or $CCAFL_HOME."
        ) from error


def absolute(path: str | Path) -> Path:
    """A path from the root on; `~` is the user's home, and stays where the user is unknown."""
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  # pathlib's own raises


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block succeeds.

    The content is flushed to the disk before the move and the folder after it, so that a kill or
    a power cut leaves the old file or the new one, never half of either. On an exception the
    temporary file is removed and `path` stays as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.touch(mode=0o600)
    try:
        yield aside
        flush(aside)
        aside.replace(path)
        flush(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text as a whole, readable by the user only."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet, readable by the user only; not flushed to the disk."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
