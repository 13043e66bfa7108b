"""The thread that listens to the NVML helper, whatever becomes of the helper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message
from toy_queue import wait_until

from tui.gpus import GpuWatch
from tui.messages import GpusRead

# says one of its lines each time it is started, then ends, or with the last one stays
HELPER = 'echo x >> "$0"; n=$(wc -l < "$0"); [ $n -gt 2 ] && n=2; shift $((n - 1)); echo "$1"'
LINES = ('{"error": "driver is gone", "absent": false}', '{"error": "no card", "absent": true}')


class Watched:
    """What was posted."""

    def __init__(self, folder: Path, script: str) -> None:
        self._posted: list[Message] = []
        command = ("sh", "-c", script, str(folder / "starts"), *LINES)
        self.watch = GpuWatch(self._posted.append, command)
        self.watch.start()

    def errors(self) -> list[str | None]:
        """What was wrong; None for a helper that broke off."""
        posted = [message for message in self._posted if isinstance(message, GpusRead)]
        return [message.answer.error if message.answer else None for message in posted]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Watched]]:
    """Those that a test has started; they end with it."""
    made: list[Watched] = []
    yield made
    for watched in made:
        watched.watch.stop()
        watched.watch.join(10.0)
        assert not watched.watch.is_alive()


def test_a_helper_that_broke_off_is_said_and_started_again(
    tmp_path: Path, started: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.gpus.AGAIN_S", 0.05)
    started.append(watched := Watched(tmp_path, f"{HELPER}; [ $n -lt 2 ] || exec cat"))
    wait_until(lambda: len(watched.errors()) >= 3)
    assert watched.errors() == ["driver is gone", None, "no card"]


def test_a_helper_is_not_started_again_at_once(tmp_path: Path, started: list[Watched]) -> None:
    started.append(watched := Watched(tmp_path, HELPER))
    wait_until(lambda: len(watched.errors()) >= 2)
    assert watched.errors() == ["driver is gone", None]
    assert (tmp_path / "starts").read_text().count("x") == 1


def test_stopping_ends_a_helper_that_says_nothing(tmp_path: Path, started: list[Watched]) -> None:
    started.append(watched := Watched(tmp_path, "exec cat"))
    watched.watch.stop()
    watched.watch.join(10.0)
    assert not watched.watch.is_alive()
    assert watched.errors() == []
