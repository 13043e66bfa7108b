"""Readings of NVML, with a driver that answers, refuses and hangs."""

import dataclasses
import json
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from ccafl.gpu import Gpu, GpuAnswer, GpuProcess, ask, parse_line, read_gpus, to_line

HELPER = [sys.executable, "-m", "ccafl.gpu"]
READ = Gpu(
    index=0,
    uuid="GPU-0",
    name="Card 0",
    memory_used=2 << 30,
    memory_total=80 << 30,
    utilisation=0.37,
    temperature=41,
    power=87.5,
    power_limit=700.0,
    processes=(GpuProcess(pid=7, memory=1 << 30), GpuProcess(pid=8, memory=None)),
)


class Driver:
    """NVML with one card or more; calls named in `broken` raise the given error code."""

    def __init__(self, cards: int = 1, **broken: int) -> None:
        self._cards, self._broken, self._begun = cards, broken, False

    def __getattr__(self, call: str) -> Any:
        if call.startswith("__"):
            raise AttributeError(call)

        def answer(*arguments: Any, **options: Any) -> Any:
            if call in self._broken:
                raise pynvml.NVMLError(self._broken[call])
            return self._answer(call, *arguments)

        return answer

    def _answer(self, call: str, card: Any = None, *_: Any) -> Any:
        if call in ("nvmlInit", "nvmlShutdown"):
            self._begun = call == "nvmlInit"
            return None
        if not self._begun:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        processes = [SimpleNamespace(pid=7, usedGpuMemory=1 << 30)]
        processes.append(SimpleNamespace(pid=8, usedGpuMemory=None))
        return {
            "nvmlDeviceGetCount": self._cards,
            "nvmlDeviceGetHandleByIndex": card,
            "nvmlDeviceGetUUID": f"GPU-{card}",
            "nvmlDeviceGetName": f"Card {card}",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=2 << 30, total=80 << 30),
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37),
            "nvmlDeviceGetTemperature": 41,
            "nvmlDeviceGetPowerUsage": 87500,
            "nvmlDeviceGetEnforcedPowerLimit": 700000,
            "nvmlDeviceGetComputeRunningProcesses": processes,
        }[call]


def test_all_fields_of_a_card_are_read() -> None:
    assert ask(Driver()) == GpuAnswer(gpus=(READ,))


def test_all_cards_are_read_in_order() -> None:
    assert [gpu.uuid for gpu in ask(Driver(cards=3)).gpus] == ["GPU-0", "GPU-1", "GPU-2"]


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        ("nvmlDeviceGetUUID", ["uuid"]),
        ("nvmlDeviceGetName", ["name"]),
        ("nvmlDeviceGetMemoryInfo", ["memory_used", "memory_total"]),
        ("nvmlDeviceGetUtilizationRates", ["utilisation"]),
        ("nvmlDeviceGetTemperature", ["temperature"]),
        ("nvmlDeviceGetPowerUsage", ["power"]),
        ("nvmlDeviceGetEnforcedPowerLimit", ["power_limit"]),
        ("nvmlDeviceGetComputeRunningProcesses", ["processes"]),
    ],
)
@pytest.mark.parametrize("code", [3, 4, 13, 15, 999])
def test_a_field_the_card_does_not_offer_is_missing_alone(
    call: str, fields: list[str], code: int
) -> None:
    expected: dict[str, Any] = dict.fromkeys(fields)
    assert ask(Driver(**{call: code})).gpus == (dataclasses.replace(READ, **expected),)


@pytest.mark.parametrize(("code", "absent"), [(12, True), (9, True), (18, False), (999, False)])
def test_fault_36_an_error_of_nvml_is_told_in_its_own_words(code: int, absent: bool) -> None:
    answer = ask(Driver(nvmlInit=code, nvmlDeviceGetCount=1))
    assert answer == GpuAnswer(error=str(pynvml.NVMLError(code)), absent=absent)


@pytest.mark.parametrize(
    "answer",
    [
        GpuAnswer(gpus=(READ, dataclasses.replace(READ, index=1, processes=None))),
        GpuAnswer(),
        GpuAnswer(error="Driver/library version mismatch"),
        GpuAnswer(error="NVML Shared Library Not Found", absent=True),
    ],
)
def test_an_answer_survives_its_line(answer: GpuAnswer) -> None:
    assert parse_line(to_line(answer)) == answer


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"gpus": [{}]}', "null"])
def test_a_broken_line_is_an_error_and_no_crash(line: str) -> None:
    error = parse_line(line).error
    assert error is not None
    assert "broke off" in error


def test_the_helper_prints_one_line_and_ends() -> None:
    done = subprocess.run([*HELPER, "--once"], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert json.loads(line).keys() & {"gpus", "error"}


def test_the_helper_goes_on_until_its_stdin_closes() -> None:
    with subprocess.Popen(
        HELPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        assert helper.stdout.readline()
        assert helper.stdout.readline()
        helper.stdin.close()
        assert helper.wait(5) == 0


def test_the_helper_ends_quietly_when_nobody_reads() -> None:
    with subprocess.Popen(
        HELPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as helper:
        assert helper.stdout is not None
        assert helper.stderr is not None
        helper.stdout.close()
        assert helper.wait(5) == 0
        assert helper.stderr.read() == b""


def test_fault_36_a_driver_that_hangs_is_given_up_in_time() -> None:
    began = time.monotonic()
    answer = read_gpus(0.3, [sys.executable, "-c", "import time; time.sleep(60)"])
    assert answer == GpuAnswer(error="NVML did not answer within 0.3 s")
    assert time.monotonic() - began < 3


def test_a_helper_that_crashes_is_an_error() -> None:
    assert read_gpus(5, [sys.executable, "-c", "raise SystemExit(1)"]).error is not None
