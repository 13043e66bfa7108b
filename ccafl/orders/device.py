"""Which device a run asks for, and what is refused before it is queued."""

import os
import re
from collections.abc import Callable

from ccafl.config import RunConfig
from ccafl.errors import ConfigError
from ccafl.gpu import GpuAnswer
from ccafl.limits import cpu_cores
from ccafl.presets import CPU_PRESETS
from ccafl.store.changes import check_device
from ccafl.tables import duration

# measured for RN50 at 256 x 128 on one core of a current server; other sizes by pixels
_CPU_SECONDS_PER_IMAGE, _PIXELS = 0.2, 256 * 128


def choose_device(
    asked: str | None, preset: str, config: RunConfig, read_gpus: Callable[[], GpuAnswer]
) -> str:
    """The device to ask the queue for: auto, cpu, an index or a UUID; may ask what GPUs there are.

    Raises:
        ConfigError: no such device, or the run would train on the CPU for days unasked, or in a
            precision that only GPUs have.
    """
    by_preset = "cpu" if preset in CPU_PRESETS else "auto"
    chosen = by_preset if asked is None else asked
    check_device(chosen)
    if chosen == "cpu":
        _refuse_half_precision(config)
        if asked is None:
            _refuse_slow_run(config, f"The preset {preset} runs on the CPU")
        return chosen
    answer = read_gpus()
    if chosen != "auto":
        _refuse_unknown_gpu(chosen, answer)
    elif answer.absent or (answer.error is None and not answer.gpus):
        _refuse_half_precision(config)
        _refuse_slow_run(config, f"There is no GPU here ({answer.error or 'NVML lists none'})")
    return chosen


def cpu_seconds(config: RunConfig) -> float:
    """A lower bound of the time that intra and inter take on the cores of this machine."""
    height, width = config.model.image_size
    images = config.loop_epochs * config.train.iterations * config.train.p * config.train.k
    cores = config.run.threads or cpu_cores()
    return images * _CPU_SECONDS_PER_IMAGE * height * width / _PIXELS / cores


def is_slow_on_cpu(config: RunConfig) -> bool:
    """Whether the backbone is made for a GPU."""
    return config.model.backbone != "tiny"


def unheeded_choice() -> list[str]:
    """That CUDA's own choice of a GPU has no effect, if the environment makes one."""
    name = "CUDA_VISIBLE_DEVICES"
    first = re.match(r"\s*(\d+|GPU-[\w-]+)", os.environ.get(name, ""))
    if first is None:
        return []
    return [f"{name} is not used: the queue takes the next free GPU. --gpu {first[1]} chooses one."]


def _refuse_half_precision(config: RunConfig) -> None:
    if config.model.precision == "fp16":
        raise ConfigError(
            "model.precision is 'fp16', which needs a GPU, and this run would train on the CPU. "
            "Use 'auto' or 'bf16'."
        )


def _refuse_slow_run(config: RunConfig, fact: str) -> None:
    if is_slow_on_cpu(config):
        raise ConfigError(
            f"{fact}, where {config.model.backbone} needs at least "
            f"{duration(cpu_seconds(config))}. Pass --gpu cpu to train on the CPU all the same, "
            "or try --preset demo."
        )


def _refuse_unknown_gpu(chosen: str, answer: GpuAnswer) -> None:
    if answer.absent:
        raise ConfigError(f"--gpu {chosen}: there is no GPU here ({answer.error}). Try --gpu cpu.")
    if answer.error is not None:
        return  # NVML does not answer now: the queue waits for it
    names = {str(gpu.index) for gpu in answer.gpus} | {gpu.uuid for gpu in answer.gpus}
    if chosen not in names:
        known = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in answer.gpus) or "none"
        raise ConfigError(f"--gpu {chosen}: there is no such GPU here; there is {known}.")
