"""`ccafl doctor`: what it finds, each with what to do."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from recorded import Recorded, evaluation
from terminal import Terminal, ccafl, past

from ccafl.doctor import Finding, examine, machine
from ccafl.doctor.pieces import is_whole
from ccafl.gpu import Gpu, GpuAnswer
from ccafl.locks import hold_lock
from ccafl.paths import Home
from ccafl.store import open_store
from ccafl.store.records import write_record

__all__ = ["ccafl", "past"]

GPU = Gpu(
    index=0,
    uuid="GPU-a",
    name="H100",
    memory_used=0,
    memory_total=80_000_000_000,
    utilisation=None,
    temperature=None,
    power=None,
    processes=None,
)


@pytest.fixture(autouse=True)
def machine_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU, and no word of systemd."""
    answer = GpuAnswer(error="NVML Shared Library Not Found", absent=True)
    monkeypatch.setattr("ccafl.doctor.machine.read_gpus", lambda: answer)
    monkeypatch.setattr("ccafl.doctor.machine.ROOT", Path("/nowhere"))


def problems(home: Home) -> list[Finding]:
    return [finding for finding in examine(home).findings if finding.level == "problem"]


def finished(past: Recorded) -> int:
    """A finished run with all the files that it should have."""
    run_id = past.finished()
    write_tensors(past.home.run(run_id).weights)
    return run_id


def write_tensors(path: Path) -> None:
    """A safetensors file of four bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def test_a_state_folder_in_order_is_well(ccafl: Terminal, past: Recorded) -> None:
    finished(past)
    answer = ccafl("doctor")
    assert answer.out.endswith("Nothing is wrong.\n") is True
    assert answer.code == 0
    for words in ("python", "torch", "sqlite", "whole; ", "1 looked at", "run 1", "database"):
        assert words in answer.out


def test_without_a_state_folder_nothing_is_wrong_and_nothing_is_made(ccafl: Terminal) -> None:
    answer = ccafl("doctor")
    assert answer.code == 0
    assert "the first run creates it" in answer.out
    assert not ccafl.home.exists()


def test_a_file_is_no_state_folder(ccafl: Terminal) -> None:
    ccafl.home.touch()
    (found,) = problems(Home(ccafl.home))
    assert (found.text, found.remedy) == (
        f"{ccafl.home} is a file.",
        "Choose another folder with --home.",
    )


def test_the_findings_as_json(ccafl: Terminal, past: Recorded) -> None:
    finished(past)
    found = json.loads(ccafl("doctor", "--format", "json").out)
    assert found["well"] is True
    assert {"subject", "level", "text", "remedy"} <= set(found["findings"][0])
    assert {row["what"] for row in found["disk"]} >= {"run 1", "database"}


def remove_folder(home: Home) -> None:
    shutil.rmtree(home.run(1).root)


def add_folder(home: Home) -> None:
    home.run(7).root.mkdir()


def break_off_deletion(home: Home) -> None:
    home.doomed(7).mkdir()


def cut_weights(home: Home) -> None:
    weights = home.run(1).weights
    weights.write_bytes(weights.read_bytes()[:-1])


def cut_checkpoint(home: Home) -> None:
    path = home.run(1).checkpoints / "12" / "tensors.safetensors"
    write_tensors(path)
    path.write_bytes(b"short")


def remove_weights(home: Home) -> None:
    home.run(1).weights.unlink()


def break_config(home: Home) -> None:
    home.run(1).config.write_text("[" * 100_000, encoding="utf-8")


def break_result(home: Home) -> None:
    home.run(1).result.write_text("half a wor", encoding="utf-8")


def break_settings(home: Home) -> None:
    home.settings.write_text("[supervisor]\nsave = 3\n", encoding="utf-8")


def open_to_others(home: Home) -> None:
    home.root.chmod(0o750)


@pytest.mark.parametrize(
    ("damage", "words", "remedy"),
    [
        (remove_folder, "Its folder is gone", "ccafl delete 1"),
        (add_folder, "belongs to no run", "move 'runs.db' away"),
        (break_off_deletion, "deletion broke off", ".7.deleted"),
        (cut_weights, "model.safetensors is damaged", "Add the run again"),
        (cut_checkpoint, "checkpoints/12/tensors.safetensors is damaged", "earlier checkpoint"),
        (remove_weights, "its weights are missing", "Add the run again"),
        (break_config, "config.json is missing or damaged", "Add the run again"),
        (break_result, "result.json is damaged", "Add the run again"),
        (break_settings, "settings.toml", "Correct the file"),
        (open_to_others, "Other users can look into", "chmod go="),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(
    ccafl: Terminal, past: Recorded, damage: Callable[[Home], None], words: str, remedy: str
) -> None:
    finished(past)
    damage(past.home)
    (found,) = problems(past.home)
    assert words in found.text
    assert remedy in found.remedy
    answer = ccafl("doctor")
    assert answer.code == 1
    assert answer.out.endswith("Something is wrong; see above.\n")


def test_a_failed_run_with_broken_files_is_to_be_tried_again(past: Recorded) -> None:
    run_id = past.end(past.start(), "failed", "it broke")
    past.home.run(run_id).config.unlink()
    (found,) = problems(past.home)
    assert found.remedy == f"Train it again: ccafl queue retry {run_id}"


def test_work_that_nobody_serves_is_a_problem(past: Recorded) -> None:
    past.add()
    (found,) = problems(past.home)
    assert (found.subject, found.remedy) == ("queue", "Run: ccafl queue")


def test_events_that_were_lost_are_told(past: Recorded) -> None:
    run_id = finished(past)
    with past.store.writing() as connection:
        connection.exec_driver_sql("UPDATE attempt SET damaged = 1, bad_lines = 3")
    (found,) = problems(past.home)
    assert "was cut or replaced" in found.text
    assert f"ccafl queue retry {run_id}" in found.remedy


def damaged(home: Home, content: Callable[[bytes], bytes]) -> None:
    """Replace the database by something else, as a disk or a person may do."""
    whole = home.database.read_bytes()
    for name in ("runs.db-wal", "runs.db-shm"):
        home.database.with_name(name).unlink(missing_ok=True)
    home.database.write_bytes(content(whole))


@pytest.mark.parametrize(
    "content",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: bytes(100) + whole[100:],
        lambda whole: whole[:8192] + bytes(4096) + whole[12288:],
    ],
    ids=["no bytes", "cut in half", "no header", "a page of zeros"],
)
def test_a_damaged_database_is_told_as_such(
    ccafl: Terminal, past: Recorded, content: Callable[[bytes], bytes]
) -> None:
    finished(past)
    past.store.close()
    damaged(past.home, content)
    before = past.home.database.read_bytes()
    found = examine(past.home)
    assert found.needs_rebuild
    assert not found.is_well
    assert past.home.database.read_bytes() == before


def test_a_damaged_database_is_made_again_when_that_is_agreed(
    ccafl: Terminal, past: Recorded
) -> None:
    told = evaluation("inter", 6, 234, 0.5)
    run_id = past.finished(told, name="mine", note="why", tags=("t",))
    write_tensors(past.home.run(run_id).weights)
    with past.store.reading() as connection:  # as the supervisor does when a run ends
        write_record(connection, past.home.run(run_id), run_id)
    before = past.store.run(run_id)
    past.store.close()
    damaged(past.home, lambda whole: whole[: len(whole) // 2])
    answer = ccafl("doctor")  # nobody can be asked
    assert answer.code == 1
    assert "`ccafl doctor --yes` makes it again" in answer.out
    again = ccafl("doctor", "--yes")
    assert again.code == 0
    assert "made again, with 1 run" in again.err
    with open_store(past.home) as store:
        assert store.run(run_id) == before
    assert list(past.home.root.glob("runs.db.damaged-*"))


def test_a_database_in_use_is_not_made_again(ccafl: Terminal, past: Recorded) -> None:
    finished(past)
    past.store.close()
    damaged(past.home, lambda whole: b"")
    with hold_lock(past.home.lock):
        answer = ccafl("doctor", "--yes")
    assert answer.code == 75
    assert "pgrep" in answer.err
    assert past.home.database.stat().st_size == 0


def test_a_lost_database_is_told_when_there_are_runs(past: Recorded) -> None:
    finished(past)
    past.store.close()
    past.home.database.unlink()
    assert examine(past.home).needs_rebuild


def test_a_newer_database_is_left_alone(ccafl: Terminal, past: Recorded) -> None:
    with past.store.writing() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 99")
    past.store.close()
    (found,) = problems(past.home)
    assert "schema version 99" in found.text
    assert not found.rebuild
    assert ccafl("doctor").code == 1


def test_gpus_are_listed_or_their_silence_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Module  580.95.05  Tue", encoding="utf-8")
    monkeypatch.setattr("ccafl.doctor.machine.DRIVER", driver)
    monkeypatch.setattr("ccafl.doctor.machine.read_gpus", lambda: GpuAnswer(gpus=(GPU,)))
    texts = {finding.subject: finding.text for finding in machine.examine()}
    assert texts["GPU 0"] == "H100, 80.0 GB, GPU-a, driver 580.95.05"
    silent = GpuAnswer(error="NVML did not answer within 5 s")
    monkeypatch.setattr("ccafl.doctor.machine.read_gpus", lambda: silent)
    found = [finding for finding in machine.examine() if finding.subject == "GPU"]
    assert (found[0].level, "nvidia-smi" in found[0].remedy) == ("problem", True)


def test_a_torch_for_cpus_on_a_machine_with_a_gpu_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ccafl.doctor.machine.read_gpus", lambda: GpuAnswer(gpus=(GPU,)))
    monkeypatch.setattr("ccafl.doctor.machine.version", lambda name: "2.14.1+cpu")
    found = [finding for finding in machine.examine() if finding.level == "problem"]
    assert [finding.subject for finding in found] == ["torch"]


def test_a_package_that_is_missing_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("ccafl.doctor.machine.version", find)
    found = [finding for finding in machine.examine() if finding.level == "problem"]
    assert [finding.subject for finding in found] == list(machine.PACKAGES)


def systemd(root: Path, *settings: str) -> None:
    """A system whose logind reads these lines, a file each."""
    (root / "run/systemd/system").mkdir(parents=True)
    (root / "etc/systemd/logind.conf.d").mkdir(parents=True)
    (root / "etc/systemd/logind.conf").write_text("[Login]\n#KillUserProcesses=yes\n")
    for number, line in enumerate(settings):
        (root / f"etc/systemd/logind.conf.d/{number}.conf").write_text(f"[Login]\n{line}\n")


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ((), "ok"),
        (("KillUserProcesses=yes",), "problem"),
        (("KillUserProcesses = yes", "KillUserProcesses=no"), "ok"),
    ],
)
def test_a_system_that_ends_runs_at_logout_is_told(
    tmp_path: Path, settings: tuple[str, ...], level: str
) -> None:
    systemd(tmp_path, *settings)
    (found,) = machine.login(tmp_path)
    assert found.level == level
    assert (found.remedy == "Run once: loginctl enable-linger") is (level == "problem")


def test_linger_keeps_runs_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    systemd(tmp_path, "KillUserProcesses=yes")
    linger = tmp_path / "var/lib/systemd/linger/me"
    linger.parent.mkdir(parents=True)
    linger.touch()
    (found,) = machine.login(tmp_path)
    assert found.level == "ok"


def test_a_system_without_systemd_is_not_asked(tmp_path: Path) -> None:
    assert list(machine.login(tmp_path)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\xff" * 40,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 99999) + b"[" * 99999,
    ],
)
def test_a_file_that_is_no_safetensors_is_not_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert not is_whole(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(past: Recorded) -> None:
    past.home.root.chmod(0o500)
    (found,) = problems(past.home)
    past.home.root.chmod(0o700)
    assert "cannot be written to" in found.text
