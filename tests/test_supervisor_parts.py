"""Parts of the supervisor alone: devices, endings, environment, identity."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from toy_queue import wait_until

from ccafl.events import Exit, Failure, Result
from ccafl.gpu import Gpu, GpuAnswer, GpuProcess
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import open_store
from ccafl.store.claims import ActiveRun, Granted, OldLease, Waits
from ccafl.supervisor import host, process
from ccafl.supervisor.devices import GpuReader, choose
from ccafl.supervisor.endings import classify, last_line
from ccafl.supervisor.giveback import GiveBack
from ccafl.supervisor.host import HostMemory, MemoryWatch, host_memory
from ccafl.supervisor.launch import allowed_environment, worker_command
from ccafl.supervisor.pace import Patience
from ccafl.supervisor.process import Identity
from ccafl.supervisor.watch import Watch

NO_DRIVER = GpuAnswer(error="NVML Shared Library Not Found", absent=True)
MISMATCH = GpuAnswer(error="Driver/library version mismatch")


def gpu(index: int, memory_used: int | None = 0, uuid: str | None = "") -> Gpu:
    return Gpu(
        index=index,
        uuid=f"GPU-{index}" if uuid == "" else uuid,
        name="card",
        memory_used=memory_used,
        memory_total=80 << 30,
        utilisation=None,
        temperature=None,
        power=None,
        processes=None,
    )


TWO = GpuAnswer(gpus=(gpu(0), gpu(1)))


@pytest.mark.parametrize(
    ("asked", "leases", "answer", "expected"),
    [
        ("cpu", {}, None, Granted("cpu")),
        ("cpu", {"cpu": 3}, None, Waits("run 3 holds the CPU")),
        ("cpu", {"GPU-0": 3}, TWO, Granted("cpu")),
        ("auto", {}, NO_DRIVER, Granted("cpu")),
        ("auto", {}, GpuAnswer(), Granted("cpu")),
        ("auto", {"cpu": 3}, NO_DRIVER, Waits("run 3 holds the CPU")),
        ("auto", {}, TWO, Granted("GPU-0")),
        ("auto", {"GPU-0": 3}, TWO, Granted("GPU-1")),
        (
            "auto",
            {"GPU-0": 3, "GPU-1": 4},
            TWO,
            Waits("run 3 holds GPU 0, run 4 holds GPU 1"),
        ),
        ("auto", {}, None, Waits("the GPU driver (NVML) has not answered yet")),
        (
            "auto",
            {},
            MISMATCH,
            Waits("the GPUs cannot be asked: Driver/library version mismatch"),
        ),
        ("0", {}, NO_DRIVER, Waits("the GPUs cannot be asked: NVML Shared Library Not Found")),
        ("1", {}, TWO, Granted("GPU-1")),
        ("GPU-1", {"GPU-1": 5}, TWO, Waits("run 5 holds GPU 1")),
        ("7", {}, TWO, Waits("this machine has no GPU 7")),
        ("auto", {}, GpuAnswer(gpus=(gpu(0, None),)), Granted("GPU-0")),
        (
            "auto",
            {},
            GpuAnswer(gpus=(gpu(0, uuid=None),)),
            Waits("GPU 0 does not tell its UUID"),
        ),
    ],
)
def test_fault_36_a_device_is_given_only_where_the_driver_and_the_leases_allow(
    asked: str, leases: dict[str, int], answer: GpuAnswer | None, expected: Granted | Waits
) -> None:
    assert choose(asked, leases, answer) == expected


def test_fault_37_a_gpu_that_somebody_else_fills_is_left_alone() -> None:
    answer = GpuAnswer(gpus=(gpu(0, 8 << 30), gpu(1, 400 << 20)))
    assert choose("auto", {}, answer) == Granted("GPU-1")
    assert choose("0", {}, answer) == Waits("others use 8.6 GB of GPU 0")


def test_fault_37_a_gpu_on_which_somebody_else_begins_to_compute_is_left_alone() -> None:
    small = replace(gpu(0, 300 << 20), processes=(GpuProcess(pid=1, memory=None),))
    assert choose("auto", {}, GpuAnswer(gpus=(small, gpu(1)))) == Granted("GPU-1")
    assert choose("0", {}, GpuAnswer(gpus=(small,))) == Waits("others use 0.3 GB of GPU 0")
    silent = replace(small, memory_used=None)
    assert choose("0", {}, GpuAnswer(gpus=(silent,))) == Waits("others use GPU 0")


def test_fault_36_a_driver_that_hangs_keeps_nobody_waiting() -> None:
    release = threading.Event()

    def hang() -> GpuAnswer:
        release.wait(20)
        return TWO

    reader = GpuReader(hang)
    began = time.monotonic()
    assert not reader.refresh()
    assert not reader.refresh()
    assert reader.answer() is None
    assert time.monotonic() - began < 1
    release.set()
    assert wait_until(reader.refresh)
    assert reader.answer() == TWO


def result(ending: Exit, error: Failure | None = None) -> Result:
    return Result(attempt=1, exit=ending, ended=1.0, error=error)


BROKE = Failure(name="ToyError", message="ToyError: it broke")
MEMORY = Failure(name="OutOfMemoryError", message="The GPU's memory is full")
GONE = "its process is gone and left no result"
NEARLY_FULL = HostMemory(used=125_800_000_000, total=126_000_000_000)
ROOMY = HostMemory(used=3_100_000_000, total=16_800_000_000)
FULL_WORDS = "killed by signal 9. Host memory was 125.8 of 126 GB: probably out of memory"


@pytest.mark.parametrize(
    ("found", "code", "options", "state", "kind", "reason"),
    [
        (result("ok"), 0, {}, "finished", "ok", None),
        (result("ok"), None, {"cancelling": True}, "finished", "ok", None),
        (result("ok"), -9, {}, "finished", "ok", None),
        (result("cancelled"), 0, {}, "cancelled", "cancelled", None),
        (result("error", BROKE), 1, {}, "failed", "error", "ToyError: it broke"),
        (
            result("gpu_memory", MEMORY),
            1,
            {},
            "failed",
            "gpu_memory",
            "The GPU's memory is full",
        ),
        (
            result("error", BROKE),
            1,
            {"cancelling": True},
            "cancelled",
            "cancelled",
            "ToyError: it broke",
        ),
        (None, -9, {"cancelling": True}, "cancelled", "cancelled", None),
        (None, None, {"cancelling": True}, "cancelled", "cancelled", None),
        (None, None, {}, "lost", "lost", GONE),
        (None, 137, {"memory_killed": True}, "lost", "host_memory", "the host ran out of memory"),
        (None, 137, {"memory": NEARLY_FULL}, "lost", "signal", FULL_WORDS),
        (
            None,
            -9,
            {"memory": ROOMY},
            "lost",
            "signal",
            "killed by signal 9. Host memory was 3.1 of 16.8 GB",
        ),
        (None, -9, {}, "lost", "signal", "killed by signal 9"),
        (None, -15, {}, "failed", "signal", "ended by SIGTERM"),
        (None, 143, {}, "failed", "signal", "ended by SIGTERM"),
        (
            None,
            -7,
            {},
            "failed",
            "signal",
            "ended by SIGBUS, probably for lack of shared memory",
        ),
        (None, 75, {}, "failed", "error", "another process holds the lock of this run"),
        (None, 0, {}, "failed", "error", "it ended without a result"),
        (
            None,
            2,
            {"last_line": "no such module"},
            "failed",
            "error",
            "exit code 2: no such module",
        ),
    ],
)
def test_fault_34_an_ending_is_named_honestly(
    found: Result | None,
    code: int | None,
    options: dict[str, Any],
    state: str,
    kind: str,
    reason: str | None,
) -> None:
    defaults: dict[str, Any] = {
        "cancelling": False,
        "memory_killed": False,
        "memory": None,
        "last_line": "",
    }
    ending = classify(found, code, **defaults | options)
    assert (ending.state, ending.exit_kind, ending.reason) == (state, kind, reason)
    assert ending.exit_code == code


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"", ""), (b"a\nb\n\n  \n", "b"), (b"x" * 9000, "x" * 300), (b"\xff\n", "\ufffd")],
)
def test_the_last_line_of_a_console_is_short_text(
    tmp_path: Path, content: bytes, line: str
) -> None:
    console = tmp_path / "console.log"
    assert last_line(console) == ""
    assert last_line(tmp_path) == "", "a folder is no console, and no reason to break"
    console.write_bytes(content)
    assert last_line(console) == line


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_fault_40_a_clock_that_jumps_moves_no_limit_of_time(
    monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    run = ActiveRun(1, "running", 1, "GPU-1", "nobody's", "{}", None, None, None, 0)
    now = time.time()
    in_time, late = Watch(replace(run, until=now + 3600)), Watch(replace(run, until=now - 1))
    monkeypatch.setattr(time, "time", lambda: now + jump)
    assert (in_time.is_late(), late.is_late()) == (False, True)


def test_a_process_that_cannot_be_killed_lets_its_run_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "kill_members", lambda token: False)
    watch = Watch(ActiveRun(1, "running", 1, "GPU-1", "nobody's", "{}", None, None, None, 0))
    assert not watch.is_over(Patience(gone_s=60))
    assert not watch.leftover
    assert watch.is_over(Patience(gone_s=0))
    assert watch.leftover


def test_a_run_that_starts_from_another_one_is_told_which() -> None:
    run = ActiveRun(12, "starting", 1, "cpu", "t", "{}", None, None, None, 0, source=7)
    assert worker_command(run, Home(Path("/h")))[-3:] == ["--source", "7", "12"]


def test_the_worker_is_told_home_attempt_device_and_number() -> None:
    run = ActiveRun(12, "starting", 2, "GPU-1", "t", "{}", None, None, None, 0)
    assert worker_command(run, Home(Path("/h"))) == [
        *(sys.executable, "-m", "ccafl.run", "--home", "/h"),
        *("--attempt", "2", "--device", "GPU-1", "12"),
    ]


def test_fault_43_only_known_names_without_secrets_pass() -> None:
    kept = {"PATH": "p", "LC_ALL": "C", "CUDA_HOME": "c", "HF_HUB_OFFLINE": "1", "CCAFL_X": "x"}
    dropped = {
        "HF_TOKEN": "s",
        "CCAFL_TOKEN": "s",
        "TORCH_API_KEY": "s",
        "XDG_Secret_thing": "s",
        "SLURM_password": "s",
        "LESS": "-R",
        "CCAFL_RUN": "token of the run that started us",
    }
    assert allowed_environment(kept | dropped) == kept


def test_a_process_is_known_by_its_start_and_its_boot() -> None:
    own = process.identify(os.getpid())
    assert own is not None
    assert process.lives(own)
    assert not process.lives(Identity(own.pid, own.start + 1, own.boot_id))
    assert not process.lives(Identity(own.pid, own.start, "an earlier boot"))
    assert process.identify(2**22 + 1) is None


def test_a_zombie_does_not_live_and_is_nobody_s_member() -> None:
    child = subprocess.Popen(["true"], env={process.TOKEN_NAME: "zombie test"})
    found = process.identify(child.pid)
    assert found is not None
    wait_until(lambda: not process.lives(found))
    assert process.identify(child.pid) == found, "it was not waited for"
    assert process.members("zombie test") == []
    child.wait()


def test_a_family_is_found_by_its_token_and_has_one_head() -> None:
    script = "import subprocess; subprocess.run(['sleep', '600'], start_new_session=True)"
    environment = {process.TOKEN_NAME: "family test", "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as child:
        wait_until(lambda: len(process.members("family test")) == 2)
        head = process.head("family test")
        assert head is not None
        assert head.pid == child.pid
        wait_until(lambda: process.kill_members("family test"))
    assert process.head("family test") is None


def test_fault_09_a_signal_for_a_dead_process_reaches_nobody() -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        found = process.identify(stranger.pid)
        assert found is not None
        process.send(Identity(found.pid, found.start - 1, found.boot_id), signal.SIGKILL)
        process.send(Identity(2**22 + 1, 1, found.boot_id), signal.SIGKILL)
        time.sleep(0.05)
        assert stranger.poll() is None
        process.send(found, signal.SIGKILL)
        assert stranger.wait(5) == -9


def test_fault_38_an_answer_from_before_the_end_of_a_run_gives_no_card_back(tmp_path: Path) -> None:
    with open_store(Home(tmp_path / "home"), create=True) as store:
        run_id = store.add_run(resolve("demo"), gpu="0")
        with store.writing() as connection:
            values = {"id": run_id}
            connection.execute(
                text("INSERT INTO lease(gpu_uuid, run_id, stuck) VALUES ('G', :id, 0)"), values
            )
        old = [OldLease("G", run_id, "of nobody", stuck=False)]
        free, give_back = GpuAnswer(gpus=(gpu(0, uuid="G"),)), GiveBack(store, 30.0)
        give_back(old, free, asked_at=4.0, now=5.0)
        assert [lease.gpu_uuid for lease in store.leases()] == ["G"]
        give_back(old, free, asked_at=5.5, now=6.0)
        assert store.leases() == []


def test_the_memory_of_the_host_is_known_from_just_before_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(host, "_MEMINFO", meminfo)
    memory = MemoryWatch()
    memory.look()
    assert memory.highest() is None, "nobody told"
    for available in (500, 100, 900):
        meminfo.write_text(f"MemTotal: 1000 kB\nMemAvailable: {available} kB\nHugePages_Total: 0\n")
        memory.look()
    assert memory.highest() == HostMemory(used=900 * 1024, total=1000 * 1024)
    for _ in range(20):
        memory.look()
    assert memory.highest() == HostMemory(used=100 * 1024, total=1000 * 1024)
    meminfo.write_text("MemTotal: 1000 kB\n")  # as kernels before 3.14 told
    assert host_memory(meminfo) is None
