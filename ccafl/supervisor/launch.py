"""Starting the worker of a run: its command line, its environment, its folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ccafl.paths import Home, RunFolder, replace_text
from ccafl.store.claims import ActiveRun
from ccafl.supervisor.process import TOKEN_NAME

WORKER = ("-m", "ccafl.run")
CPU = "cpu"

_NAMES = frozenset(
    (
        *("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"),
        *("LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH"),
        *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    )
)
_PREFIXES = (
    *("LC_", "XDG_", "CCAFL_", "CUDA", "CUBLAS_", "NVIDIA_", "NCCL_"),
    *("TORCH", "PYTORCH_", "OMP_", "MKL_", "SLURM_"),
)
_NEVER = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def worker_command(run: ActiveRun, home: Home, worker: Sequence[str] = WORKER) -> list[str]:
    """The command line that trains a run on the device it leases; the only place that knows it."""
    source = () if run.source is None else ("--source", str(run.source))
    return [
        *(sys.executable, *worker),
        *("--home", str(home.root), "--attempt", str(run.attempt), "--device", run.gpu_uuid),
        *source,
        str(run.id),
    ]


def allowed_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a background process may know of the environment of its starter: no secrets.

    The token of a run is left out as well: whoever is started by a process of a run, as a
    supervisor may be, does not belong to that run.
    """
    return {
        name: value
        for name, value in environment.items()
        if (name in _NAMES or name.startswith(_PREFIXES))
        and not any(word in name.upper() for word in _NEVER)
        and name != TOKEN_NAME
    }


def launch(run: ActiveRun, home: Home, worker: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the worker in its own session, apart from the supervisor's life.

    Raises:
        OSError: it cannot be executed, or the folder cannot be written.
    """
    folder = home.run(run.id)
    _prepare(folder, run)
    environment = allowed_environment(os.environ) | {
        TOKEN_NAME: run.token,
        "CUDA_VISIBLE_DEVICES": "" if run.gpu_uuid == CPU else run.gpu_uuid,
    }
    console = os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            worker_command(run, home, worker),
            cwd=folder.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(console)


def _prepare(folder: RunFolder, run: ActiveRun) -> None:
    """Make the folder ready for a new attempt: what earlier ones left must not mislead it."""
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _text(folder.config) != run.config:  # the row is the truth; the file may be torn
        replace_text(folder.config, run.config)
    if folder.result.exists():
        folder.result.replace(folder.old_result(run.attempt - 1))
    folder.cancel.unlink(missing_ok=True)
    _sweep(folder)
    if run.start_over:
        for path in (folder.checkpoints, folder.intra_end, folder.best):
            shutil.rmtree(path, ignore_errors=True)
        for path in (folder.weights, folder.prompts, folder.model):
            path.unlink(missing_ok=True)


def _sweep(folder: RunFolder) -> None:
    """Remove what processes that were killed have left half written."""
    for part in list(folder.root.rglob(".*.part")):
        pid = part.stem.rpartition(".")[2]
        if not Path("/proc", pid).exists():
            shutil.rmtree(part, ignore_errors=True)
            with suppress(OSError):  # a folder, gone by now
                part.unlink()


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
