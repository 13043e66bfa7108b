"""Weights in every form users have them. What cannot be had offline is stood in for: the hub by an
empty cache and an address nobody answers, OpenAI's archive by a TorchScript archive of the tiny
model whose hash is declared known."""

import hashlib
import json
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from open_clip.model import CLIP
from torch import Tensor, nn

from ccafl import hub, weights
from ccafl.errors import CheckpointError, ConfigError
from ccafl.hub import cached_openai, fetch_openai
from ccafl.model import build_clip
from ccafl.presets import check_weights, resolve


@pytest.fixture
def clip() -> CLIP:
    torch.manual_seed(5)
    return build_clip("tiny", weights="random")


def loaded(path: Path) -> Tensor:
    weight: Tensor = build_clip("tiny", weights=str(path)).visual.conv1.weight.detach()
    return weight


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }


FORMS: dict[str, Any] = {
    "plain.pt": lambda state: state,
    "half.bin": half,
    "wrapped.pth": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    "with-scalars.pt": lambda state: state | {"input_resolution": torch.tensor(224)},
}


@pytest.mark.parametrize("name", FORMS)
def test_a_state_dict_is_read_in_every_form(tmp_path: Path, clip: CLIP, name: str) -> None:
    torch.save(FORMS[name](clip.state_dict()), tmp_path / name)
    found = loaded(tmp_path / name)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, clip.visual.conv1.weight.detach(), atol=1e-3, rtol=0)


def test_safetensors_are_read(tmp_path: Path, clip: CLIP) -> None:
    safetensors.torch.save_file(half(clip.state_dict()), tmp_path / "clip.safetensors")
    expected = clip.visual.conv1.weight.detach().half().float()
    assert torch.equal(loaded(tmp_path / "clip.safetensors"), expected)


class Holder(nn.Module):
    """A scripted module with the state of a CLIP model, like OpenAI's archive."""

    def __init__(self, clip: CLIP) -> None:
        super().__init__()
        self.visual = nn.Module()
        for name, value in clip.state_dict().items():
            self._place(name.split("."), value)
        self.register_buffer("input_resolution", torch.tensor(224))

    def _place(self, parts: list[str], value: Tensor) -> None:
        module: nn.Module = self
        for part in parts[:-1]:
            if part not in module._modules:
                module.add_module(part, nn.Module())
            module = module.get_submodule(part)
        module.register_buffer(parts[-1], value)

    def forward(self) -> None:
        return None


@pytest.fixture
def archive(tmp_path: Path, clip: CLIP) -> Path:
    path = tmp_path / "RN50.pt"
    with pytest.warns(FutureWarning):
        torch.jit.save(torch.jit.script(Holder(clip)), path)
    return path


def test_openais_archive_is_opened_when_its_hash_is_the_known_one(
    archive: Path, clip: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(weights, "KNOWN_ARCHIVES", {digest})
    assert torch.equal(loaded(archive), clip.visual.conv1.weight.detach())


def test_any_other_archive_is_refused_unopened(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the archive was opened")

    monkeypatch.setattr(torch.jit, "load", never)
    with pytest.raises(CheckpointError, match="is not that of OpenAI's file"):
        loaded(archive)


def test_the_published_hash_is_the_known_one() -> None:
    published = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
    assert published in weights.KNOWN_ARCHIVES


BROKEN = {
    "garbage.pt": b"garbage",
    "empty.pt": b"",
    "garbage.safetensors": b"garbage",
    "empty.safetensors": b"",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(CheckpointError, match=rf"{name}' cannot be read as CLIP weights") as caught:
        loaded(tmp_path / name)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_cut_file_is_named(tmp_path: Path, clip: CLIP, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    save = safetensors.torch.save_file if suffix == ".safetensors" else torch.save
    save(clip.state_dict(), path)
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(CheckpointError, match=rf"cut{suffix}' cannot be read as CLIP weights"):
        loaded(path)


def test_safetensors_under_another_suffix_are_refused_in_a_sentence(
    tmp_path: Path, clip: CLIP
) -> None:
    safetensors.torch.save_file(clip.state_dict(), tmp_path / "clip.bin")
    with pytest.raises(CheckpointError, match=r"Expected a \.safetensors"):
        loaded(tmp_path / "clip.bin")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no weights file"):
        loaded(tmp_path / "gone.pt")


def test_a_file_without_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="holds a list, not a state dict"):
        loaded(tmp_path / "list.pt")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"evil\.pt"):
        loaded(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save({"visual.conv1.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="does not hold the weights of tiny"):
        loaded(tmp_path / "other.pt")


def test_a_file_that_does_not_exist_is_refused_before_the_queue() -> None:
    config = resolve("market1501", settings=["model.weights=/nowhere/RN50.pt"])
    with pytest.raises(ConfigError, match=r"nowhere/RN50\.pt', and there is no such file"):
        check_weights(config)


class SlowHub(BaseHTTPRequestHandler):
    """A hub that sends half of a file and then nothing more."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        if self.path.endswith(".safetensors"):
            self.send_header("ETag", '"1"')
            self.send_header("X-Repo-Commit", "c")
            self.send_header("Content-Length", "40000000")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        if self.path.endswith(".safetensors"):
            with suppress(OSError):
                self.wfile.write(bytes(20_000_000))
                self.rfile.read()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub that holds nothing, and an address nobody answers."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return cache


def quiet(activity: str, done: int, total: int) -> None:
    pass


@pytest.mark.usefixtures("empty_cache")
def test_without_network_openais_weights_fail_at_once_and_say_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"cannot be fetched: .*refused.*model\.weights=FILE"):
        fetch_openai("RN50-quickgelu", quiet)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HF_HUB_OFFLINE", "1", "HF_HUB_OFFLINE forbids the network."),
        ("HF_ENDPOINT", "nowhere", "nowhere cannot be reached (unknown url type: 'nowhere')."),
        (
            "HF_ENDPOINT",
            "http://127.0.0.1:9",
            "http://127.0.0.1:9 cannot be reached ([Errno 111] Connection refused).",
        ),
    ],
)
def test_what_keeps_the_hub_away_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        fetch_openai("RN50-quickgelu", quiet)
    assert f"cannot be fetched: {reason}" in str(caught.value)


def test_a_download_that_is_stopped_in_its_middle_leaves_nothing(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(activity: str, done: int, total: int) -> None:
        if done and total == 40:
            raise KeyboardInterrupt

    with ThreadingHTTPServer(("127.0.0.1", 0), SlowHub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(KeyboardInterrupt):
            fetch_openai("RN50-quickgelu", stop)
        server.shutdown()
    assert not [path for path in empty_cache.rglob("blobs/*") if path.is_file()]
    with pytest.raises(CheckpointError, match="are not in the Hugging Face cache"):
        cached_openai("RN50-quickgelu")


@pytest.mark.usefixtures("empty_cache")
def test_news_that_come_together_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    news = "".join(json.dumps({"done": done, "total": 3}) + "\n" for done in (10**6, 2 * 10**6))

    class Child(subprocess.Popen[bytes]):
        """A download that brings two pieces, and then nothing."""

        def __init__(self, command: object, **words: Any) -> None:
            super().__init__(["sh", "-c", 'printf %s "$0"; exec sleep 60', news], **words)

    told: list[int] = []

    def listen(activity: str, done: int, total: int) -> None:
        told.append(done)
        if done == 2 or len(told) == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Child)
    with pytest.raises(KeyboardInterrupt):
        fetch_openai("RN50-quickgelu", listen)
    assert told[-1] == 2


def test_openais_weights_are_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def cache(repository: str, name: str, *, local_files_only: bool = False) -> str:
        asked.append(local_files_only)
        return str(tmp_path / repository.replace("/", "-") / name)

    monkeypatch.setattr(hub, "hf_hub_download", cache)
    fetch_openai("RN50-quickgelu", quiet)
    assert asked == [True]


def test_the_cache_that_lost_its_file_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def empty_cache(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("not in the cache")

    monkeypatch.setattr(hub, "hf_hub_download", empty_cache)
    with pytest.raises(CheckpointError) as caught:
        build_clip("RN50-quickgelu", weights="openai")
    assert f"not in the Hugging Face cache {constants.HF_HUB_CACHE!r}" in str(caught.value)
    assert "HF_HOME" in str(caught.value)
