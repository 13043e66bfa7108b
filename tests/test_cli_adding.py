"""`ccafl run` and `ccafl queue add`: what is refused, what is queued, how it is followed."""

import json
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded
from terminal import PROGRAM, Terminal, ccafl, past, queue
from toy_queue import ToyQueue, wait_until

from ccafl.datasets import SPLITS, check
from ccafl.errors import ConfigError, DatasetError
from ccafl.gpu import Gpu, GpuAnswer
from ccafl.orders.device import choose_device
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import RunRow

__all__ = ["ccafl", "past", "queue"]

NO_GPU = GpuAnswer(error="NVML Shared Library Not Found", absent=True)
SMOKE = ("--preset", "smoke")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU."""
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: NO_GPU)


@pytest.fixture
def opened_images(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The images that were opened, in this process."""
    opened: list[Path] = []
    look = check._look

    def count(path: Path) -> object:
        opened.append(path)
        return look(path)

    monkeypatch.setattr("ccafl.datasets.check._look", count)
    return opened


def toy(**orders: Any) -> tuple[str, ...]:
    """Options that order how a toy run behaves."""
    return (*SMOKE, "--set", f"run.name='{json.dumps(orders)}'")


def only_run(queue: ToyQueue) -> RunRow:
    """The one run of a queue."""
    (run,) = queue.store.runs()
    return run


def following(queue: ToyQueue, data: Path, **orders: Any) -> subprocess.Popen[str]:
    """A client process that follows a toy run which has begun."""
    client = subprocess.Popen(
        [*PROGRAM, "run", *toy(**orders), "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: [run for run in queue.store.runs() if run.step > 3])
    return client


def test_a_run_is_followed_to_its_end(ccafl: Terminal, queue: ToyQueue, drawn_set: Path) -> None:
    queue.serve()
    answer = ccafl("run", *toy(steps=30), "--data", drawn_set)
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith("Run 1 finished.")
    assert "small: " in answer.err
    assert only_run(queue).state == "finished"


def test_a_run_keeps_what_the_options_say(
    ccafl: Terminal, queue: ToyQueue, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.serve()
    monkeypatch.chdir(drawn_set.parent)
    settings = ("--set", "inter.ical.margin=0.3", "--tag", "a", "--tag", "b", "--note", "why")
    ccafl("queue", "add", *SMOKE, "--data", "small", "--name", "mine", *settings)
    run = only_run(queue)
    config = json.loads(run.config)
    assert (run.name, run.note, run.tags) == ("mine", "why", ("a", "b"))
    assert (run.preset, run.dataset, run.gpu) == ("smoke", "small", "cpu")
    assert (config["run"]["name"], config["data"]["root"]) == ("mine", str(drawn_set))
    assert config["inter"]["ical"]["margin"] == 0.3


def test_a_failed_run_ends_with_its_reason(
    ccafl: Terminal, queue: ToyQueue, drawn_set: Path
) -> None:
    queue.serve()
    answer = ccafl("run", *toy(steps=3, exit="error"), "--data", drawn_set)
    assert answer.code == 1
    assert "the toy broke" in answer.out
    assert "`ccafl log 1`" in answer.out


def test_a_detached_run_leaves_its_number_alone_on_stdout(
    ccafl: Terminal, queue: ToyQueue, drawn_set: Path
) -> None:
    queue.serve()
    answer = ccafl("run", "--detach", *toy(steps=1), "--data", drawn_set)
    assert (answer.code, answer.out) == (0, "1\n")
    assert "ccafl log 1 -f" in answer.err


def test_ctrl_c_cancels_with_a_checkpoint(queue: ToyQueue, drawn_set: Path) -> None:
    queue.serve()
    client = following(queue, drawn_set, steps=10_000)
    client.send_signal(signal.SIGINT)
    out, _ = client.communicate(timeout=20)
    assert client.returncode == 130
    assert "saves a checkpoint and stops" in out
    assert "is safe; `ccafl queue resume 1` goes on from it." in out
    assert only_run(queue).state == "cancelled"


def test_a_second_ctrl_c_kills(queue: ToyQueue, drawn_set: Path) -> None:
    queue.serve()
    client = following(queue, drawn_set, steps=10_000, deaf=True)
    client.send_signal(signal.SIGINT)
    wait_until(lambda: only_run(queue).state == "cancelling")
    client.send_signal(signal.SIGINT)
    out, _ = client.communicate(timeout=20)
    assert client.returncode == 130
    assert "is killed" in out
    assert only_run(queue).exit_kind == "cancelled"


def test_the_run_outlives_its_client(queue: ToyQueue, drawn_set: Path) -> None:
    queue.serve()
    client = following(queue, drawn_set, steps=10_000)
    client.send_signal(signal.SIGTERM)
    _, err = client.communicate(timeout=20)
    assert client.returncode == 128 + signal.SIGTERM
    assert "goes on in the background" in err
    run = only_run(queue)
    assert (run.state, run.cancel_requested) == ("running", 0)


def test_fault_02_a_closed_terminal_ends_the_view_alone(queue: ToyQueue, drawn_set: Path) -> None:
    supervisor = queue.serve()
    ours, theirs = pty.openpty()
    take = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    program = (*PROGRAM[:2], f"{take}; {PROGRAM[2]}")
    client = subprocess.Popen(
        [*program, "run", *toy(steps=10_000), "--data", str(drawn_set)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    while b"ctrl-c cancels" not in os.read(ours, 65536):
        pass  # what it draws is read, as a terminal does, until the run is shown
    wait_until(lambda: only_run(queue).step > 3)
    os.close(ours)
    assert client.wait(timeout=2) == 128 + signal.SIGHUP
    assert supervisor.poll() is None
    step = only_run(queue).step
    assert wait_until(lambda: only_run(queue).step > step)
    assert (only_run(queue).state, only_run(queue).cancel_requested) == ("running", 0)


def test_a_large_backbone_without_a_gpu_is_refused_with_its_time(
    ccafl: Terminal, no_gpu: None, drawn_set: Path
) -> None:
    answer = ccafl("run", "--preset", "market1501", "--data", drawn_set)
    assert (answer.code, answer.out) == (2, "")
    assert "There is no GPU here" in answer.err
    assert "--gpu cpu" in answer.err
    assert not ccafl.home.exists()


def test_an_unusable_data_set_is_refused(ccafl: Terminal, drawn_set: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(drawn_set, broken)
    shutil.rmtree(broken / SPLITS["query"])
    answer = ccafl("run", *SMOKE, "--data", broken)
    assert answer.code == 2
    assert "does not contain query" in answer.err
    assert not ccafl.home.exists()


def test_what_is_known_to_hurt_is_warned_about(
    ccafl: Terminal, queue: ToyQueue, drawn_set: Path
) -> None:
    queue.serve()
    heavy = ("--set", "inter.ical.weight=2")
    answer = ccafl("run", "--detach", *toy(steps=1), *heavy, "--data", drawn_set)
    assert answer.code == 0
    assert "warning: inter.ical.weight is 2" in answer.err


def test_the_demo_set_is_drawn_once(
    ccafl: Terminal, queue: ToyQueue, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []

    def draw(root: Path, *, seed: int, progress: Callable[[int, int], None]) -> None:
        shutil.copytree(drawn_set, root)
        progress(1, 1)
        drawn.append(root)

    monkeypatch.setattr("ccafl.orders.ready.draw_dataset", draw)
    queue.serve()
    for _ in range(2):
        assert ccafl("queue", "add", *toy(steps=1)).code == 0
    assert drawn == [Home(ccafl.home).demo(0)]
    assert {run.dataset for run in queue.store.runs()} == {"demo-0"}


def test_a_demo_set_drawn_by_another_client_meanwhile_is_used(
    ccafl: Terminal, queue: ToyQueue, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(root: Path, **_: object) -> None:
        shutil.copytree(drawn_set, root)
        raise DatasetError("in use")

    monkeypatch.setattr("ccafl.orders.ready.draw_dataset", draw)
    queue.serve()
    assert ccafl("queue", "add", *toy(steps=1)).code == 0


def gpus(*uuids: str) -> GpuAnswer:
    """An answer of NVML with so many GPUs."""
    empty: Mapping[str, None] = dict.fromkeys(
        ("name", "memory_used", "memory_total", "utilisation", "temperature", "power", "processes")
    )
    found = (Gpu(index=index, uuid=uuid, **empty) for index, uuid in enumerate(uuids))
    return GpuAnswer(gpus=tuple(found))


@pytest.mark.parametrize(
    ("asked", "preset", "answer", "chosen"),
    [
        (None, "demo", gpus("GPU-a"), "cpu"),
        (None, "market1501", gpus("GPU-a"), "auto"),
        ("auto", "demo", NO_GPU, "auto"),
        ("1", "market1501", gpus("GPU-a", "GPU-b"), "1"),
        ("GPU-b", "market1501", gpus("GPU-a", "GPU-b"), "GPU-b"),
        ("cpu", "market1501", gpus("GPU-a"), "cpu"),
        (None, "market1501", GpuAnswer(error="NVML did not answer"), "auto"),
        ("0", "market1501", GpuAnswer(error="NVML did not answer"), "0"),
    ],
)
def test_a_run_asks_for_a_device_that_there_is(
    monkeypatch: pytest.MonkeyPatch, asked: str, preset: str, answer: GpuAnswer, chosen: str
) -> None:
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: answer)
    assert choose_device(asked, preset, resolve(preset), lambda: answer) == chosen


@pytest.mark.parametrize(
    ("asked", "preset", "answer", "words"),
    [
        ("2", "market1501", gpus("GPU-a", "GPU-b"), "0 (GPU-a), 1 (GPU-b)"),
        ("GPU-c", "demo", gpus("GPU-a"), "no such GPU"),
        ("0", "demo", NO_GPU, "no GPU here"),
        (None, "market1501", NO_GPU, "There is no GPU here"),
        (None, "market1501", gpus(), "NVML lists none"),
        ("1000", "demo", gpus("GPU-a"), "names no device"),
        ("MIG-c", "demo", GpuAnswer(error="NVML did not answer"), "UUID of a whole GPU"),
    ],
)
def test_a_device_that_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, asked: str, preset: str, answer: GpuAnswer, words: str
) -> None:
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: answer)
    with pytest.raises(ConfigError) as caught:
        choose_device(asked, preset, resolve(preset), lambda: answer)
    assert words in str(caught.value)


def test_a_large_backbone_in_a_cpu_preset_must_be_asked_for() -> None:
    large = ["model.backbone=RN50-quickgelu", "model.weights=openai"]
    config = resolve("demo", settings=large)
    with pytest.raises(ConfigError, match="needs at least"):
        choose_device(None, "demo", config, gpus)
    assert choose_device("cpu", "demo", config, gpus) == "cpu"


@pytest.mark.parametrize(("asked", "answer"), [("cpu", gpus("GPU-a")), ("auto", NO_GPU)])
def test_a_precision_that_only_gpus_have_is_refused_on_the_cpu(
    asked: str, answer: GpuAnswer
) -> None:
    config = resolve("demo", settings=["model.precision=fp16"])
    with pytest.raises(ConfigError, match="'fp16', which needs a GPU"):
        choose_device(asked, "demo", config, lambda: answer)
    assert choose_device("auto", "demo", config, lambda: gpus("GPU-a")) == "auto"


def test_an_image_that_cannot_be_opened_is_refused_before_a_run_is_queued(
    ccafl: Terminal, drawn_set: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(drawn_set, tmp_path / "cut"))
    images = sorted((data / SPLITS["query"]).glob("*.jpg"))
    whole = images[0].read_bytes()
    images[0].write_bytes(whole[:300])
    images[1].write_bytes(b"")
    answer = ccafl("queue", "add", "--preset", "smoke", "--data", data)
    assert answer.code == 2
    assert answer.out == ""
    assert f"{images[0].name}' is cut or damaged" in answer.err
    assert "2 things are wrong" in answer.err
    assert not ccafl.home.exists()


def test_a_data_folder_is_opened_again_only_when_it_has_changed(
    ccafl: Terminal, past: Recorded, drawn_set: Path, tmp_path: Path, opened_images: list[Path]
) -> None:
    data = Path(shutil.copytree(drawn_set, tmp_path / "data"))
    one = next((data / SPLITS["train"]).glob("*.jpg"))
    one.write_bytes(one.read_bytes())
    add = ("queue", "add", "--preset", "smoke", "--data", data)
    assert ccafl(*add, "--set", "run.seed=1,2").code == 0
    count = len(opened_images)
    assert count == len(set(opened_images)) > 0
    assert ccafl(*add).code == 0
    assert len(opened_images) == count
    one.write_bytes(one.read_bytes() + b"\0")
    assert ccafl(*add).code == 0
    assert len(opened_images) == 2 * count
