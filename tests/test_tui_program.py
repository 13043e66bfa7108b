"""The real program in a terminal, beside a run that does not notice it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from recorded import Recorded, recorded
from toy_queue import ToyQueue, queue, wait_until

from ccafl.paths import Home
from ccafl.store import open_store
from tui.draft import Draft

__all__ = ["queue", "recorded"]

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
ROOT = Path(__file__).parent.parent


class Terminal:
    """A tmux of our own with one window."""

    def __init__(self, folder: Path) -> None:
        self._name, self._folder = f"ccafl-{uuid.uuid4().hex[:8]}", folder

    def start(self, home: Path, *options: str) -> None:
        """Run the app in a shell that stays and shows its exit code."""
        command = f"{sys.executable} -m tui.app --home {home} {' '.join(options)}"
        script = self._folder / "start.sh"
        script.write_text(f"cd {ROOT}\n{command}\necho ended with $?\nexec sh\n", encoding="utf-8")
        self("new-session", "-d", "-x", "80", "-y", "24", f"sh {script}")

    def __call__(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._name, "-f", "/dev/null", *arguments]
        environment = os.environ | {"TERM": "xterm-256color"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done.stdout

    def press(self, *keys: str) -> None:
        """Send keys."""
        self("send-keys", *keys)

    def sees(self, *words: str) -> str:
        """Wait until the screen shows all words."""

        def look() -> str:
            text = self("capture-pane", "-p")
            return text if all(word in text for word in words) else ""

        return wait_until(look)

    def program(self) -> int:
        """Process number of the app."""
        shell = self("list-panes", "-F", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children")
        return int(wait_until(lambda: children.read_text().split())[0])


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal that is closed afterwards."""
    made = Terminal(tmp_path)
    yield made
    made("kill-server")


def test_the_program_watches_a_run_and_leaves_it_alone(queue: ToyQueue, terminal: Terminal) -> None:
    queue.serve()
    run_id = queue.add(steps=100_000, delay_s=0.01)
    worker = queue.wait_for(run_id, "running").pid
    terminal.start(queue.home.root)
    terminal.sees("[1 Queue 1]", "● running", "? keys")
    terminal.press("2")
    terminal.sees("[2 Live 1]", "[Losses]")
    terminal("resize-window", "-x", "120", "-y", "36")
    terminal.sees("[2 Live 1]", "[Losses]")
    terminal("resize-window", "-x", "50", "-y", "12")
    terminal.sees("50x12 is too small")
    terminal("resize-window", "-x", "80", "-y", "24")
    terminal.sees("[2 Live 1]")
    terminal.press("q")
    text = terminal.sees("ended with 0", "1 run goes on in the background.")
    assert "[2 Live" not in text  # the alternate screen is left
    terminal.press("echo works", "Enter")
    terminal.sees("\nworks")
    run = queue.store.run(run_id)
    assert (run.state, run.pid, run.cancel_requested) == ("running", worker, 0)
    assert queue.serving() == queue.supervisors[-1].pid


def test_a_run_is_queued_watched_and_found_again_with_its_result(
    terminal: Terminal, drawn_set: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir(mode=0o700)
    long_enough = "train.iterations = 15"  # to be seen at work on any machine
    draft = Draft(preset="smoke", root=str(drawn_set), name="first light", overrides=long_enough)
    home.viewer.write_text(json.dumps({"draft": asdict(draft)}), encoding="utf-8")
    try:
        terminal.start(home.root)
        terminal.sees("No runs yet")
        terminal.press("a")
        terminal.sees("first light", "121 training images")
        terminal.press("C-o")
        terminal.sees("[1 Queue 1]", "●", "first light")
        terminal.press("2")
        terminal.sees("● running", "[Losses]")
        terminal.press("q")
        terminal.sees("1 run goes on in the background", "ended with 0")
        with open_store(home) as store:
            wait_until(lambda: store.run(1).state == "finished", 90.0)
            last = store.run(1).last
        assert last is not None
        terminal.press(f"clear; cd {ROOT}; {sys.executable} -m tui.app --home {home.root}", "Enter")
        terminal.sees("Nothing is running")  # the pane that was left
        terminal.press("3")
        terminal.sees("✓", "first light", f"{100 * last.mean_ap:.1f}")
    finally:
        with open_store(home) as store:
            supervisor = store.supervisor()
        if supervisor is not None:
            os.kill(supervisor.pid, signal.SIGTERM)


def test_a_killed_viewer_gives_the_terminal_back(recorded: Recorded, terminal: Terminal) -> None:
    run_id = recorded.start()
    terminal.start(recorded.home.root, "--read-only")
    terminal.sees("● running")
    os.kill(terminal.program(), signal.SIGKILL)
    text = terminal.sees("ccafl-tui was killed")
    assert "Queue" not in text
    flags = "#{alternate_on} #{mouse_any_flag} #{mouse_sgr_flag} #{cursor_flag} #{wrap_flag}"
    assert terminal("display-message", "-p", flags).split() == list("00011")
    state = ["stty", "-a", "-F", terminal("display-message", "-p", "#{pane_tty}").strip()]
    wait_until(lambda: " echo " in subprocess.check_output(state, text=True))
    terminal.press("echo works", "Enter")
    terminal.sees("\nworks")
    assert recorded.store.run(run_id).state == "running"
