"""What the queue costs and how much it holds, beside the targets: `python -m bench.queue_load`.

Workers here write events and train nothing; supervisor, database and processes are real. About
two minutes. `--output FILE` writes the table as Markdown.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

from sqlalchemy import text

from ccafl import events
from ccafl.events import EventWriter, Result
from ccafl.gpu import Gpu, GpuAnswer
from ccafl.locks import hold_lock
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import NewRun, Store, claims, database, open_store
from ccafl.store.claims import Granted
from ccafl.store.ingest import ingest
from ccafl.supervisor import Supervisor
from ccafl.supervisor.devices import GpuReader

SMOKE = resolve("smoke")
NAMES = ("total", *(name for name in events.TERMS if name not in ("i2t", "t2i")))
TERMS = dict.fromkeys(NAMES, 0.123456789)  # eight losses
STEPS = 16_000
CHART = text(
    "SELECT step / 40, min(total), avg(total), max(total), avg(intra), avg(triplet) FROM loss "
    "WHERE run_id = :id GROUP BY 1"
)
Row = tuple[str, str, str]


def work(arguments: list[str]) -> int:
    """The worker: as many steps, as far apart, as the note in its folder says."""
    parser = argparse.ArgumentParser()
    for name in ("--home", "--attempt", "--device"):
        parser.add_argument(name)
    parser.add_argument("id", type=int)
    options = parser.parse_args(arguments)
    folder = Home(Path(options.home)).run(options.id)
    orders = json.loads(json.loads(folder.config.read_text())["run"]["name"])
    attempt, costs = int(options.attempt), []
    with hold_lock(folder.lock), EventWriter(folder.events(attempt)) as writer:
        for step in range(1, orders["steps"] + 1):
            began = time.perf_counter()
            writer.write(events.Loss(stage="intra", epoch=1, step=step, loss=TERMS))
            costs.append(time.perf_counter() - began)
            time.sleep(orders["delay"])
            if folder.cancel.exists():
                break
        how: events.Exit = "cancelled" if folder.cancel.exists() else "ok"
        (folder.root / "costs").write_text(json.dumps(costs))
        events.write_result(folder.result, Result(attempt=attempt, exit=how, ended=time.time()))
    return 0


def serve(home: Home) -> int:
    """The supervisor: the real one, with eight cards that do not exist."""
    cards = tuple(
        Gpu(
            index=index,
            uuid=f"GPU-{index}",
            name="none",
            memory_used=0,
            memory_total=1,
            utilisation=None,
            temperature=None,
            power=None,
            processes=None,
        )
        for index in range(8)
    )
    reader = GpuReader(lambda: GpuAnswer(gpus=cards))
    os.umask(0o077)
    with hold_lock(home.lock):
        Supervisor(home, worker=(str(Path(__file__).resolve()), "worker"), gpus=reader).run()
    return 0


class Load:
    """One state folder and its supervisor."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.store = open_store(self.home, create=True)
        self.supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start a supervisor; seconds until it serves."""
        began = time.monotonic()
        command = [sys.executable, str(Path(__file__).resolve()), "supervisor", str(self.home.root)]
        self.supervisor = subprocess.Popen(command)
        wait_until(lambda: (row := self.store.supervisor()) and row.pid == self.pid)
        return time.monotonic() - began

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self.supervisor is not None
        return self.supervisor.pid

    def kill(self) -> None:
        """End the supervisor as a fault would."""
        assert self.supervisor is not None
        self.supervisor.kill()
        self.supervisor.wait()

    def add(self, steps: int, delay: float) -> int:
        """Queue a run."""
        orders = json.dumps({"steps": steps, "delay": delay})
        config = resolve("smoke", settings=[f"run.name='{orders}'"])
        return self.store.add_run(config, gpu="auto")

    def wait(self, run_id: int, *states: str) -> None:
        """Wait until a run is in a state."""
        wait_until(lambda: self.store.run(run_id).state in states)

    def costs(self, run_id: int) -> list[float]:
        """Seconds that each event cost its worker."""
        found: list[float] = json.loads((self.home.run(run_id).root / "costs").read_text())
        return found


def wait_until(look: Callable[[], object], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def in_words(costs: list[float]) -> str:
    mean = sum(costs) / len(costs)
    return (
        f"mean {mean * 1e6:.0f} \u00b5s, p99 {share(costs, 0.99) * 1e6:.0f} \u00b5s, "
        f"max {max(costs) * 1e3:.1f} ms"
    )


def cost_per_step(load: Load) -> Iterator[Row]:
    """One worker at 400 steps per second with the queue alive, locked out, and dead."""
    target = "mean < 100 \u00b5s, p99 < 1 ms"
    for how in ("alive", "locked out", "dead"):
        run_id = load.add(2000, 0.0025)
        wait_until(lambda run_id=run_id: load.store.run(run_id).step > 0)  # type: ignore[misc]
        stranger = database.connect(load.home.database, "rw")
        if how == "locked out":
            stranger.execute("BEGIN IMMEDIATE")
        elif how == "dead":
            load.kill()
        wait_until((load.home.run(run_id).root / "costs").exists)
        stranger.close()
        if how == "dead":
            load.start()
        load.wait(run_id, "finished")
        yield f"cost per step, supervisor {how}", in_words(load.costs(run_id)), target


@contextmanager
def viewers(load: Load, runs: list[int], count: int) -> Iterator[tuple[list[float], list[float]]]:
    """Threads that draw a chart and read the tail four times per second; their times."""
    charts: list[float] = []
    tails: list[float] = []
    over = threading.Event()

    def view(store: Store, run_id: int) -> None:
        while not over.wait(0.25):
            with store.reading() as connection:
                charts.append(timed(lambda: connection.execute(CHART, {"id": run_id}).all()))
            last = store.latest_loss(run_id)
            after = (last.step if last else 0) - 19
            tails.append(timed(partial(store.losses, run_id, after_step=after)))
        store.close()

    threads = [
        threading.Thread(target=view, args=(open_store(load.home), runs[n % len(runs)]))
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    yield charts, tails
    over.set()
    for thread in threads:
        thread.join()


def eight_runs(load: Load) -> Iterator[Row]:
    """Eight runs of 16,000 steps at once, watched by five viewers; one kill of the supervisor."""
    before = cpu_seconds(load.pid)
    began = time.monotonic()
    runs = [load.add(STEPS, 0.0008) for _ in range(8)]
    with viewers(load, runs, 5) as (charts, tails):
        for run_id in runs:
            load.wait(run_id, "finished")
    seconds = time.monotonic() - began
    busy = cpu_seconds(load.pid) - before
    steps = sum(len(load.store.losses(run_id)) for run_id in runs)
    assert steps == 8 * STEPS
    values = steps * len(TERMS)
    yield (
        "8 runs x 16,000 steps, 5 viewers",
        f"{values / 1e6:.2f} M values in {seconds:.0f} s, supervisor busy {busy:.1f} s, 0 lost",
        "1.02 M values in 18 s, busy 2.0 s, 0 errors",
    )
    costs = [cost for run_id in runs for cost in load.costs(run_id)]
    yield "cost per step meanwhile", in_words(costs), "-"
    for name, times, limit in (("chart", charts, 150), ("tail of 19 steps", tails, 50)):
        p50, p99 = share(times, 0.5) * 1e3, share(times, 0.99) * 1e3
        yield f"{name} meanwhile", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", f"p99 < {limit} ms"
    database.checkpoint(load.home.database)
    size = load.home.database.stat().st_size / 1e6 / (values / 1e6)
    yield "database", f"{size:.1f} MB per 1 M values", "< 15 MB"


def catch_up(load: Load) -> Iterator[Row]:
    """16,000 steps that were written while nobody looked."""
    run_id = load.store.add_run(SMOKE, gpu="cpu")
    with load.store.writing() as connection:
        claims.claim(connection, grant, time.time())
    with EventWriter(load.home.run(run_id).events(1)) as writer:
        for step in range(1, STEPS + 1):
            writer.write(events.Loss(stage="intra", epoch=1, step=step, loss=TERMS))

    def take_in() -> None:
        offset = 0
        while (reached := ingest(load.store, run_id, 1, offset)) != offset:
            offset = reached

    yield "catch-up of 16,000 steps", f"{timed(take_in):.2f} s", "< 1 s"


def many_queued(load: Load) -> Iterator[Row]:
    """100 runs of one command, with an empty history and with 10,000 finished runs."""
    load.store.pause()
    for history in (0, 10_000):
        if history:
            fill_history(load.store, history)
        after = f", {history:,} finished runs in history" if history else ""
        ids: list[int] = []
        runs = [NewRun(config=SMOKE, gpu="cpu")] * 100
        seconds = timed(lambda ids=ids, runs=runs: ids.extend(load.store.add_runs(runs)))  # type: ignore[misc]
        queued = [run.id for run in load.store.runs(["queued"])]
        assert queued[-100:] == ids
        yield f"add 100 runs{after}", f"{seconds:.2f} s", "< 2 s"
        listing = timed(lambda: load.store.runs(["queued"]))
        yield f"list them{after}", f"{listing * 1e3:.0f} ms", "< 100 ms"
        newest = timed(lambda: load.store.history(limit=50))
        yield f"newest 50 of the history{after}", f"{newest * 1e3:.0f} ms", "< 100 ms"
        yield f"claim{after}", f"{claim(load.store) * 1e3:.1f} ms", "-"


def grant(_: claims.Queued, leases: Mapping[str, int]) -> Granted:
    return Granted(f"toy-{len(leases)}")


def claim(store: Store) -> float:
    def ask() -> None:
        with store.writing() as connection:
            connection.execute(text("UPDATE setting SET paused = 0"))
            claims.claim(connection, grant, time.time())
            connection.rollback()

    return timed(ask)


def fill_history(store: Store, count: int) -> None:
    columns = "name, note, dataset, preset, gpu, place, hold, start_over, lost_in_row, created"
    columns += ", attempt, launcher, cancel_requested, versions, step, config"
    with store.writing() as connection:
        connection.execute(
            text(
                f"INSERT INTO run ({columns}, state, ended, token) "
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
                f" SELECT {columns}, 'finished', i, hex(randomblob(16)) FROM n, run WHERE id = 1"
            )
        )


def at_rest(load: Load) -> Iterator[Row]:
    """A supervisor with one run of a step per second; starting it with eight."""
    run_id = load.add(100_000, 1.0)
    load.wait(run_id, "running")
    before, began = cpu_seconds(load.pid), time.monotonic()
    time.sleep(20)
    part = (cpu_seconds(load.pid) - before) / (time.monotonic() - began)
    memory = resident(load.pid) / 1e6
    yield "supervisor at rest, 1 run", f"{part:.1%} of a core, {memory:.0f} MB", "< 1 %, < 80 MB"
    load.store.cancel(run_id)
    yield "cancel to ended", f"{timed(lambda: load.wait(run_id, 'cancelled')):.1f} s", "< 10 s"
    runs = [load.add(100_000, 1.0) for _ in range(8)]
    for found in runs:
        load.wait(found, "running")
    load.kill()
    yield "ready, 8 runs adopted", f"{load.start():.1f} s", "< 4 s"
    for found in runs:
        load.store.cancel(found)
    for found in runs:
        load.wait(found, "cancelled")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(root: Path) -> list[Row]:
    load = Load(root)
    rows = [("ready after start", f"{load.start():.1f} s", "< 4 s")]
    for part in (cost_per_step, at_rest, eight_runs):
        rows += show(part(load))
    load.kill()
    for part in (catch_up, many_queued):
        rows += show(part(load))
    load.store.close()
    return rows


def show(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        print(" | ".join(row), flush=True)
        yield row


def markdown(rows: list[Row]) -> str:
    lines = [
        "# Load of the queue",
        "",
        f"{date.today()}, {os.cpu_count()} CPU cores shared with other work, "
        f"Python {sys.version.split()[0]}. Made by `python -m bench.queue_load`.",
        "",
        "| What | Measured | Target |",
        "| --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "worker":
        return work(sys.argv[2:])
    if mode == "supervisor":
        return serve(Home(Path(sys.argv[2])))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="ccafl-load-"))
    try:
        table = markdown(measure(root / "h"))
    finally:
        shutil.rmtree(root)
    if options.output:
        options.output.write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
