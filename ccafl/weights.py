"""CLIP weights from the package or from a file, without executing anything in it."""

import pickle
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ccafl.errors import CheckpointError

_SHIPPED = Path(__file__).with_name("weights") / "tiny_clip.safetensors"
_EXTRA_KEYS = ("input_resolution", "context_length", "vocab_size")  # scalars in OpenAI's files


def read_weights(model: nn.Module, weights: str, backbone: str) -> None:
    """Load weights into a CLIP model, every key and shape matching.

    Args:
        model: built by `ccafl.model.build_clip`, fp32; the file's fp16 values are widened.
        weights: "shipped", or the path of a safetensors file or of a plain state dict.
        backbone: named in messages only.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or of another model.
    """
    path = _SHIPPED if weights == "shipped" else Path(weights)
    state = {key: value for key, value in _read(path).items() if key not in _EXTRA_KEYS}
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{path} does not hold the weights of {backbone}: {reason}. Choose the file that "
            "belongs to model.backbone."
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no weights file {path}.") from error
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        reason = (str(error) or "the file is empty").splitlines()[0][:200]
        raise CheckpointError(
            f"{path} cannot be read as CLIP weights: {reason}. Expected a .safetensors file or a "
            "plain state dict saved by torch.save."
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a state dict.")
    return {str(key).removeprefix("module."): value for key, value in state.items()}
