"""Prompts learned once are used again by every run whose prompt stage would give the same.

An entry is named by the SHA-256 of everything that determines the result of the stage.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ccafl import config as schema
from ccafl.checkpoint import load_checkpoint, save_checkpoint
from ccafl.datasets import Record
from ccafl.errors import CheckpointError
from ccafl.stages.training import Training
from ccafl.weights import weights_digest

VERSION = 1  # of the stage: raised when the same inputs give other prompts


@dataclass(frozen=True, slots=True)
class Learned:
    """The state after a prompt stage, and the run that trained it."""

    state: dict[str, Any]
    run_id: int


class PromptCache:
    """The entries of a state folder, looked up for one run."""

    def __init__(self, folder: Path, training: Training, records: Sequence[Record]) -> None:
        """Remember the run; nothing is read yet.

        Args:
            folder: of all entries.
            training: of the run.
            records: its training images, in order.
        """
        self._folder, self._training, self._records = folder, training, records

    @cached_property
    def _entry(self) -> Path:
        """Where the entry lies; to name it, every training image and the weights are read."""
        return self._folder / _key(self._training, self._records)

    def find(self) -> Learned | None:
        """The entry; None if there is none, or a damaged one."""
        try:
            entry = load_checkpoint(self._entry)
        except CheckpointError:
            return None
        return Learned(entry["state"], entry["run"])

    def keep(self, run_id: int) -> None:
        """Keep the state at the end of a prompt stage; of two at once the first one stays."""
        with suppress(OSError):  # another run was first, or the disk is full: nothing is lost
            if self.find() is not None:
                return
            shutil.rmtree(self._entry, ignore_errors=True)  # a damaged one
            save_checkpoint(self._entry, {"state": self._training.prompt_state(), "run": run_id})


def _key(training: Training, records: Sequence[Record]) -> str:
    config = training.config
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_file_digest, (record.path for record in records)))
    sizes = [record.path.stat().st_size for record in records]
    identities = training.labels.camera_identity.tolist()
    names = [record.path.name for record in records]
    values = schema.flatten(config)
    facts = {
        "version": VERSION,
        "records": list(zip(names, sizes, digests, identities, strict=True)),
        "weights": weights_digest(config.model.weights, config.model.backbone),
        "settings": {k: v for k, v in values.items() if k.startswith(("model.", "prompt."))},
        "seed": config.run.seed,
        "precision": str(training.dtype),
        "device": training.device.type,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
