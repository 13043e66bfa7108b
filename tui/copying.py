"""The clipboard: through tmux where there is one, else by a sequence that terminals obey."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import partial
from typing import TYPE_CHECKING

from ccafl.paths import replace_text
from tui.messages import Said

if TYPE_CHECKING:
    from ccafl.paths import Home
    from tui.program import CcaflApp

LARGEST = 70_000  # bytes; many terminals drop more without a word
TMUX_S = 2.0
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def copy(app: CcaflApp, text: str, what: str) -> None:
    """Put text on the clipboard and say so, in a thread."""
    work = partial(copy_now, app, text, what)
    app.screen.run_worker(work, thread=True, exit_on_error=False)


def copy_now(app: CcaflApp, text: str, what: str) -> None:
    """The same, for those who are in a thread.

    OSC 52 is never confirmed, and terminals drop long texts, so the text is then kept in a file
    as well.
    """
    clean = _CONTROLS.sub("", text)
    is_taken = bool(os.environ.get("TMUX")) and _give_to_tmux(clean)
    if not is_taken:
        app.call_later(app.copy_to_clipboard, clean)
    is_sure = is_taken and len(clean.encode()) <= LARGEST
    app.post_message(Said(f"Copied {what}{'' if is_sure else _keep(app.home, clean)}."))


def _give_to_tmux(text: str) -> bool:
    """Whether tmux took the text; with -w it also gives it to the terminal it runs in."""
    program = shutil.which("tmux")
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, "load-buffer", "-w", "-"],
            input=text.encode(),
            capture_output=True,
            timeout=TMUX_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _keep(home: Home, text: str) -> str:
    """Write the text to the state folder, if there is one; gives what to add to the sentence."""
    if not home.root.exists():
        return ""
    try:
        replace_text(home.copied, text)
    except OSError as error:
        return f"; {home.copied.name} was not written: {error.strerror}"
    return f" (also in {home.copied.name} of the state folder)"
