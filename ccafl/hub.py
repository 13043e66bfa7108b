"""OpenAI's CLIP weights from the Hugging Face hub, through its cache; loads no torch.

`python -m ccafl.hub BACKBONE` downloads them and prints a JSON line whenever more has come. The
hub's client cannot be stopped from outside, so those who may change their mind run this module as
a child.
"""

import json
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils.tqdm import tqdm

from ccafl.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from ccafl.datasets.check import Tell

_REPOSITORIES = {"RN50-quickgelu": "timm/resnet50_clip.openai"}
_FILE = "open_clip_model.safetensors"
_PROBE_S = 5.0
_PERIOD_S = 0.2  # between two questions whether the download is still wanted
_STOP_S = 2.0
_MB = 1_000_000


def fetch_openai(backbone: str, tell: "Tell") -> Path:
    """The file of OpenAI's weights, downloaded now unless the cache has it.

    What `tell` raises stops the download; what had come is removed.

    Raises:
        ConfigError: the file is not in the cache and the hub does not answer.
    """
    try:
        return cached_openai(backbone)
    except CheckpointError:
        pass
    with subprocess.Popen(
        [sys.executable, "-m", "ccafl.hub", backbone],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,  # else lines wait in a buffer, of which `select` knows nothing
        start_new_session=True,  # Ctrl-C reaches it once, through us
    ) as child:
        try:
            reason = _follow(child, tell)
        finally:
            _stop(child)
    if reason:
        raise ConfigError(
            f"OpenAI's weights ({_REPOSITORIES[backbone]} on the Hugging Face hub) cannot be "
            f"fetched: {reason}. Get the file on a machine with network and pass it: --set "
            "model.weights=FILE; the README says where it is and how to check it."
        )
    return cached_openai(backbone)


def cached_openai(backbone: str) -> Path:
    """The file that `fetch_openai` left in the cache; never asks the network.

    Raises:
        CheckpointError: the cache does not have it.
    """
    try:
        return Path(hf_hub_download(_REPOSITORIES[backbone], _FILE, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"OpenAI's weights of {backbone} are not in the Hugging Face cache "
            f"{constants.HF_HUB_CACHE!r}. Runs look in the cache of the shell that started the "
            "supervisor: add the run again with the HF_HOME and HF_HUB_CACHE of that shell, or "
            "pass a file: --set model.weights=FILE."
        ) from error


def main() -> None:
    """Download the weights of the backbone that is named."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job may ignore it
    try:
        _probe()
        hf_hub_download(_REPOSITORIES[sys.argv[1]], _FILE, tqdm_class=_Printed)
    except (OSError, HfHubHTTPError, OfflineModeIsEnabled) as error:
        _print(error=next(iter(str(error).splitlines()), "no answer"))


def _probe() -> None:
    """Ask the hub once: its client repeats for half a minute when there is no network.

    Raises:
        OfflineModeIsEnabled: the user forbids the network.
        ConnectionError: the hub does not answer, or its address is none.
    """
    if constants.HF_HUB_OFFLINE:
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE forbids the network")
    try:
        probe = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        urllib.request.urlopen(probe, timeout=_PROBE_S).close()
    except (OSError, ValueError) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise ConnectionError(f"{constants.ENDPOINT} cannot be reached ({reason})") from error


class _Printed(tqdm):
    """The hub's progress bar as lines of JSON."""

    def update(self, n: float | None = 1) -> None:
        """Print how much there is."""
        self.n += n or 0
        _print(done=self.n, total=self.total or 0)


def _print(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _follow(child: subprocess.Popen[bytes], tell: "Tell") -> str:
    """Tell how far a download is until it ends; gives why it failed."""
    assert child.stdout is not None
    done = total = 0
    while True:
        tell("fetching OpenAI's weights, MB", done // _MB, total // _MB)
        if select.select([child.stdout], [], [], _PERIOD_S)[0]:
            line = child.stdout.readline()
            if not line:
                return "" if child.wait() == 0 else "the download broke off"
            values = json.loads(line)
            if "error" in values:
                return str(values["error"])
            done, total = int(values["done"]), int(values["total"])


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a download as Ctrl-C does, on which the hub's client removes the file it has begun."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    main()
