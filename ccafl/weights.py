"""CLIP weights from the package, the hub's cache or a file, without executing anything in it."""

import hashlib
import pickle
import warnings
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ccafl.errors import CheckpointError
from ccafl.hub import cached_openai

_SHIPPED = Path(__file__).with_name("assets") / "tiny_clip.safetensors"
_EXTRA_KEYS = ("input_resolution", "context_length", "vocab_size")  # scalars in OpenAI's files

# A TorchScript archive holds code. OpenAI published RN50.pt as one; this is the SHA-256 of it, and
# no other archive is opened.
KNOWN_ARCHIVES = {"afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"}


def read_weights(model: nn.Module, weights: str, backbone: str) -> None:
    """Load weights into a CLIP model, every key and shape matching.

    Args:
        model: built by `ccafl.model.build_clip`, fp32; the file's fp16 values are widened.
        weights: "shipped", "openai", or the path of a safetensors file, of a state dict saved by
            torch.save, or of OpenAI's own archive.
        backbone: of the model.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or of another model.
    """
    path = _path(weights, backbone)
    state = {key: value for key, value in _read(path).items() if key not in _EXTRA_KEYS}
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{str(path)!r} does not hold the weights of {backbone}: {reason}. Choose the file "
            "that belongs to model.backbone."
        ) from error


def weights_digest(weights: str, backbone: str) -> str:
    """SHA-256 of the file behind `model.weights`; "random" stands for itself.

    Raises:
        CheckpointError: the file is missing.
    """
    if weights == "random":
        return weights
    try:
        return _sha256(_path(weights, backbone))
    except OSError as error:
        raise CheckpointError(
            f"The weights {weights!r} cannot be read: {error.strerror}."
        ) from error


def _path(weights: str, backbone: str) -> Path:
    if weights == "shipped":
        return _SHIPPED
    return cached_openai(backbone) if weights == "openai" else Path(weights)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = _read_pickle(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no weights file {str(path)!r}.") from error
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        reason = (str(error) or "the file is empty").splitlines()[0][:200]
        if isinstance(error, pickle.UnpicklingError):  # torch's own words advise to run its code
            reason = "it is damaged, or holds more than tensors"
        raise CheckpointError(
            f"{str(path)!r} cannot be read as CLIP weights: {reason}. Expected a .safetensors "
            "file, a plain state dict saved by torch.save, or OpenAI's own RN50.pt."
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{str(path)!r} holds a {type(state).__name__}, not a state dict.")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _read_pickle(path: Path) -> object:
    """A state dict; of TorchScript archives only the known one is opened.

    Raises:
        RuntimeError: the archive is another one, or the file is damaged.
    """
    with warnings.catch_warnings():
        # torch warns that the form is old and that it looks like what it is
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except RuntimeError as error:
            if "TorchScript" not in str(error):
                raise
        digest = _sha256(path)
        if digest not in KNOWN_ARCHIVES:
            raise RuntimeError(
                "it is a TorchScript archive, which may hold any code, and its SHA-256 "
                f"{digest} is not that of OpenAI's file"
            )
        return dict(torch.jit.load(path, map_location="cpu").state_dict())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
