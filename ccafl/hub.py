"""OpenAI's CLIP weights from the Hugging Face hub, through its cache; loads no torch."""

import urllib.request
from pathlib import Path

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from ccafl.errors import CheckpointError, ConfigError

_REPOSITORIES = {"RN50-quickgelu": "timm/resnet50_clip.openai"}
_FILE = "open_clip_model.safetensors"
_PROBE_S = 5.0


def fetch_openai(backbone: str) -> Path:
    """The file of OpenAI's weights, downloaded now unless the cache has it.

    Raises:
        ConfigError: the file is not in the cache and the hub does not answer.
    """
    repository = _REPOSITORIES[backbone]
    try:
        return cached_openai(backbone)
    except CheckpointError:
        pass
    try:
        # the hub's client repeats for half a minute when there is no network: ask once before
        probe = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        urllib.request.urlopen(probe, timeout=_PROBE_S).close()
        return Path(hf_hub_download(repository, _FILE))
    except (OSError, HfHubHTTPError, OfflineModeIsEnabled) as error:
        reason = next(iter(str(error).splitlines()), "no answer")
        raise ConfigError(
            f"OpenAI's weights ({repository} on the Hugging Face hub) cannot be fetched: {reason}. "
            "Get the file on a machine with network and pass it: --set model.weights=FILE; the "
            "README says where it is and how to check it."
        ) from error


def cached_openai(backbone: str) -> Path:
    """The file that `fetch_openai` left in the cache; never asks the network.

    Raises:
        CheckpointError: the cache does not have it.
    """
    try:
        return Path(hf_hub_download(_REPOSITORIES[backbone], _FILE, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"OpenAI's weights of {backbone} are not in the Hugging Face cache any more. Add the "
            "run again to fetch them, or pass a file: --set model.weights=FILE."
        ) from error
