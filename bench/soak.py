"""Hundreds of kills and a thousand short runs: `python -m bench.soak`, about an hour.

Kills workers, supervisors and both at once while toy runs train, checks that no run and no step
is lost or doubled and that nothing stays behind, then runs short runs one after the other and
watches the supervisor's memory and open files. Last, the demo is trained for real, worker and
supervisor are killed at random moments, and every loss row and weight must equal, bit for bit,
those of a run nobody disturbed. Ends with 1 if anything is wrong. Smaller numbers for a quick
look: `--kills 20 --runs 50 --training-kills 3`.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from ccafl.demo import draw_dataset
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import ENDED, NewRun, open_store
from ccafl.supervisor import process

TESTS = Path(__file__).resolve().parent.parent / "tests"
STEPS = 120
Row = tuple[str, str, str]


class Soak:
    """A queue of toy runs whose supervisor is started again whenever it is gone."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.store = open_store(self.home, create=True)
        self.supervisor: subprocess.Popen[bytes] | None = None

    def serve(self) -> int:
        """Have a supervisor; its pid."""
        if self.supervisor is None or self.supervisor.poll() is not None:
            command = [sys.executable, str(TESTS / "toy_supervisor.py")]
            self.supervisor = subprocess.Popen([*command, "--home", str(self.home.root)])
            pid = self.supervisor.pid
            wait_until(lambda: (row := self.store.supervisor()) is not None and row.pid == pid)
        return self.supervisor.pid

    def kill_supervisor(self) -> None:
        """End it as a fault would."""
        if self.supervisor is not None:
            self.supervisor.kill()
            self.supervisor.wait()

    def add(self, count: int, **orders: float) -> list[int]:
        """Queue toy runs."""
        config = resolve("smoke", settings=[f"run.name='{json.dumps(orders)}'"])
        return self.store.add_runs([NewRun(config=config, gpu="cpu")] * count)

    def tokens(self) -> list[str]:
        """What marks the processes of each run."""
        with self.store.reading() as connection:
            return list(connection.execute(text("SELECT token FROM run")).scalars())

    def kill_worker(self) -> None:
        """SIGKILL to every process of the run that is active."""
        for run in self.store.runs(("starting", "running")):
            with self.store.reading() as connection:
                query = text("SELECT token FROM run WHERE id = :id")
                token = connection.execute(query, {"id": run.id}).scalar_one()
            for pid in process.members(token):
                found = process.identify(pid)
                if found is not None:
                    process.send(found, signal.SIGKILL)

    def wrong(self, run_ids: list[int]) -> list[str]:
        """What is not as it would be without any fault."""
        found = []
        for run_id in run_ids:
            steps = [row.step for row in self.store.losses(run_id)]
            run = self.store.run(run_id)
            if run.state != "finished" or steps != list(range(1, STEPS + 1)):
                found.append(f"run {run_id}: {run.state} ({run.reason}), {len(steps)} steps")
        if any(process.members(token) for token in self.tokens()):
            found.append("processes stayed behind")
        with self.store.reading() as connection:
            answer = connection.execute(text("PRAGMA integrity_check")).scalar()
            if connection.execute(text("SELECT count(*) FROM lease")).scalar():
                found.append("a lease stayed behind")
        return found if answer == "ok" else [*found, f"database: {answer}"]


def wait_until(look: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return when something is so."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError("nothing happened for a minute")
        time.sleep(0.02)


def ended(soak: Soak) -> int:
    """How many runs have ended."""
    return len(soak.store.runs(ENDED))


def kill_loop(soak: Soak, kills: int, chance: random.Random) -> list[Row]:
    """Kill at random until enough were killed; every run must end as if nobody had."""
    counts = dict.fromkeys(("worker", "supervisor", "both"), 0)
    added: list[int] = []
    began = time.monotonic()
    while sum(counts.values()) < kills:
        soak.serve()
        if ended(soak) == len(added):
            added += soak.add(2, steps=STEPS, save_every=3, delay_s=0.004)
        time.sleep(chance.uniform(0.05, 0.6))  # spreads the kills over claim, start, step and end
        victim = chance.choice(list(counts))
        if victim != "worker":
            soak.kill_supervisor()
        if victim != "supervisor":
            soak.kill_worker()
        counts[victim] += 1
    soak.serve()
    wait_until(lambda: ended(soak) == len(added), 300)
    lost = [run.id for run in soak.store.runs(("lost",))]
    for run_id in lost:  # three kills in a row before the first checkpoint: as it should be
        soak.store.resume(run_id)
    wait_until(lambda: ended(soak) == len(added), 300)
    wrong = soak.wrong(added)
    told = ", ".join(f"{count} of {name}" for name, count in counts.items())
    seconds = time.monotonic() - began
    return [
        ("kills", f"{told}, {len(added)} runs, {seconds:.0f} s", str(kills)),
        ("lost three times in a row and resumed by hand", str(len(lost)), "-"),
        ("lost or doubled", "; ".join(wrong) or "0", "0"),
    ]


def short_runs(soak: Soak, count: int) -> list[Row]:
    """Runs of one step, one after the other, under one supervisor."""
    before = ended(soak)
    pid = soak.serve()
    sizes: list[tuple[int, int]] = []
    for _ in range(0, count, 50):
        soak.add(min(50, count), steps=1, delay_s=0)
        before += min(50, count)
        wait_until(lambda before=before: ended(soak) == before, 300)  # type: ignore[misc]
        sizes.append((resident(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))))
    (memory, files), (first_memory, first_files) = sizes[-1], sizes[0]
    growth = (memory - first_memory) / 1e6
    return [
        (f"memory after {count} short runs", f"{memory / 1e6:.0f} MB, {growth:+.1f} MB", "< 80 MB"),
        ("open files", f"{files}, {files - first_files:+d}", "+0"),
        ("supervisor", "the same" if soak.serve() == pid else "another one", "the same"),
    ]


def training_kills(root: Path, kills: int, chance: random.Random) -> list[Row]:
    """Train the demo twice, once under kills at random steps; both must leave the same bits."""
    sys.path.insert(0, str(TESTS))
    from killing import Training
    from workers import assert_same_weights

    data = root / "data"
    draw_dataset(data)
    quiet, killed = (Training(root / name, "demo", [f"data.root={data}"]) for name in ("q", "k"))
    try:
        quiet.finish(timeout_s=600)
        rows = quiet.losses()
        killed.finish(sorted(chance.sample(range(1, len(rows)), kills)), timeout_s=600)
        same = killed.losses() == rows
        assert_same_weights(killed.folder, quiet.folder)
    finally:
        quiet.stop()
        killed.stop()
    found = "0" if same else "rows differ"
    return [("kills of a real training", str(kills), str(kills)), ("lost or doubled", found, "0")]


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    """Print the table; 1 if anything was lost, doubled or left behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--training-kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="ccafl-soak-"))
    soak = Soak(root / "h")
    try:
        rows = kill_loop(soak, options.kills, random.Random(options.seed))
        rows += short_runs(soak, options.runs)
        rows += training_kills(root, options.training_kills, random.Random(options.seed))
    finally:
        soak.kill_supervisor()
        soak.kill_worker()
        soak.store.close()
        shutil.rmtree(root)
    for row in [("what", "found", "expected"), ("---", "---", "---"), *rows]:
        print(f"| {' | '.join(row)} |")
    return 0 if all(found == "0" for what, found, _ in rows if what == "lost or doubled") else 1


if __name__ == "__main__":
    sys.exit(main())
