"""The complete state of a run, saved and restored; and inference weights.

Tensors lie in a safetensors file, everything else in JSON beside it, so that reading a checkpoint
executes nothing.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ccafl.errors import CheckpointError
from ccafl.paths import flush, replacing

FORMAT = 1
_STATE, _TENSORS = "state.json", "tensors.safetensors"


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> int:
    """Save nested dicts, lists, numbers, texts and tensors as a folder, as a whole.

    Args:
        folder: must not exist; it appears complete or not at all.
        state: tensors may share storage and lie on any device.

    Returns:
        Bytes written.

    Raises:
        OSError: the disk does not take it; nothing is left behind.
    """
    tensors: dict[str, Tensor] = {}
    plain = _strip(state, tensors)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True, mode=0o700)
        with replacing(aside / _TENSORS) as path:
            _write(tensors, path)
        with replacing(aside / _STATE) as path:
            path.write_text(json.dumps({"format": FORMAT, "state": plain}), encoding="utf-8")
        size = sum(path.stat().st_size for path in aside.iterdir())
        aside.replace(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return size


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """The state saved in a folder, tensors on the CPU.

    Raises:
        CheckpointError: a file is missing, cut or of another version.
    """
    try:
        tensors = safetensors.torch.load_file(folder / _TENSORS)
        saved = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        if saved["format"] != FORMAT:
            raise CheckpointError(
                f"The checkpoint {str(folder)!r} has format {saved['format']}, this version of "
                f"ccafl reads {FORMAT}. Start the run again."
            )
        state: dict[str, Any] = _fill(saved["state"], tensors)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"The checkpoint {str(folder)!r} is damaged: {error}.") from error
    return state


def link_checkpoint(folder: Path, target: Path) -> None:
    """Keep a checkpoint under a second name as well, without a second copy on the disk.

    Raises:
        OSError: the disk does not take it; nothing is left behind.
    """
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(mode=0o700)
        for path in folder.iterdir():
            (aside / path.name).hardlink_to(path)
        shutil.rmtree(target, ignore_errors=True)
        aside.replace(target)
        flush(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as a safetensors file, as a whole.

    Raises:
        OSError: the disk does not take it.
    """
    with replacing(path) as aside:
        _write({name: _plain(value) for name, value in tensors.items()}, aside)


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        safetensors.torch.save_file(tensors, path)
    except SafetensorError as error:  # its own class for a full disk
        raise OSError(str(error)) from error


def _strip(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A copy that JSON can hold; tensors are moved to `tensors` and replaced by their name."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = _plain(value)
        return {"tensor": name}
    if isinstance(value, Mapping):  # as pairs, because Adam's keys are numbers
        return {"items": [[key, _strip(inner, tensors)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_strip(inner, tensors) for inner in value]
    return value


def _fill(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {key: _fill(inner, tensors) for key, inner in value["items"]}
    return [_fill(inner, tensors) for inner in value] if isinstance(value, list) else value


def _plain(value: Tensor) -> Tensor:
    # a copy of its own: safetensors refuses tensors that share storage
    return value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
