"""The configuration of a run: one frozen class per section, validated once, stored as JSON.

The comment of each field (its description) says unit, range and origin: "from code" is the
published code of the authors, "ours" is a choice of this product. We have not seen the body
of the paper, so nothing here claims to be printed in it.

Epochs of `intra` and `inter` are counted together from 0 here (loop epochs); rows, events and
screens count from 1 inside a stage. `RunConfig.loop_epoch` converts.
"""

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.dataclasses import dataclass

from ccafl.errors import ConfigError
from ccafl.layout_names import LayoutChoice

Stage = Literal["prompt", "intra", "inter"]
STAGES: tuple[Stage, ...] = ("prompt", "intra", "inter")

Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Index = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Positive = Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]
Angle = Annotated[float, Field(strict=True, ge=0, le=3, allow_inf_nan=False)]
Switch = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True, max_length=4096)]
Pixels = Annotated[int, Field(strict=True, ge=32, le=1024, multiple_of=16)]

_SECTION = ConfigDict(extra="forbid")
_LOOKING = "looking"  # the context in which sections need not agree


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class RunSection:
    """What to run and with how much of the machine."""

    name: Text = Field(default="", description="shown in lists; empty: made from preset and seed")
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(
        default=1, description="seed of every random draw; 1 from code"
    )
    stages: tuple[Stage, ...] = Field(
        default=STAGES,
        description="stages to train, neighbours in this order; earlier ones come from --from",
    )
    threads: Annotated[int, Field(strict=True, ge=0, le=1024)] = Field(
        default=0, description="CPU threads of the worker; 0: all cores it may use; ours"
    )
    gpus: Annotated[int, Field(strict=True, ge=1, le=64)] = Field(
        default=1, description="GPUs of the run; only 1 is built"
    )
    hours: Annotated[float, Field(strict=True, ge=0, le=100_000, allow_inf_nan=False)] = Field(
        default=0.0,
        description="a longer attempt is cancelled with a checkpoint; 0: no limit; ours",
    )


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class DataSection:
    """Where the images are."""

    root: Text = Field(
        default="",
        description="folder that holds bounding_box_train, query, bounding_box_test, or MSMT17's "
        "list files",
    )
    layout: LayoutChoice = Field(
        default="auto",
        description="how the folder is laid out; auto tells by its files, as docs/data.md says",
    )


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class ModelSection:
    """The CLIP backbone and how it is run."""

    backbone: Literal["RN50-quickgelu", "tiny"] = Field(
        default="RN50-quickgelu", description="CLIP model; tiny is the demo's"
    )
    weights: Text = Field(
        default="openai",
        description="openai, shipped (tiny only), random, or a file of CLIP weights",
    )
    image_size: tuple[Pixels, Pixels] = Field(
        default=(256, 128), description="height and width in pixels, multiples of 16; from code"
    )
    bn_batch: Annotated[int, Field(strict=True, ge=2, le=4096)] = Field(
        default=64, description="images that share batch statistics; 64 from code (one GPU's share)"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="auto: bf16 on a GPU that has it, else fp16; fp32 on a CPU; ours",
    )


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class PromptSection:
    """Stage 1: four text tokens per camera identity."""

    n_ctx: Literal[4, 5, 6] = Field(
        default=4,
        description="tokens kept before the learned four; 5 Market, 6 Duke, 5 MSMT17 from code",
    )
    epochs: Count = Field(default=60, description="passes over the training images; from code")
    batch: Count = Field(default=64, description="images per step; from code")
    lr: Positive = Field(default=3.5e-4, description="Adam, cosine to 1/350; from code")
    weight_decay: NonNegative = Field(default=1e-4, description="Adam; from code")


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class TrainSection:
    """What intra and inter share: batches, optimisers, augmentation."""

    p: Count = Field(default=16, description="camera identities per batch; 16, MSMT17 32 from code")
    k: Annotated[int, Field(strict=True, ge=2, le=1024)] = Field(
        default=8, description="images per camera identity; from code"
    )
    iterations: Count = Field(default=200, description="steps per epoch; from code")
    lr: Positive = Field(default=3.5e-4, description="encoder, Adam, biases twice; from code")
    classifier_lr: Positive = Field(default=3.5e-4, description="classifier, constant; from code")
    weight_decay: NonNegative = Field(default=5e-4, description="both optimisers; from code")
    warmup_epochs: Index = Field(default=10, description="loop epochs of warm-up; from code")
    warmup_factor: Share = Field(default=0.01, description="share of lr at epoch 0; from code")
    lr_steps: tuple[Index, ...] = Field(
        default=(40, 50), description="loop epochs from which lr is divided by ten; from code"
    )
    pad: Annotated[int, Field(strict=True, ge=0, le=128)] = Field(
        default=10, description="black border before the random crop, pixels; from code"
    )
    erase: Share = Field(default=0.5, description="probability of random erasing; from code")
    erase_area: tuple[Share, Share] = Field(
        default=(0.02, 0.4), description="erased share of the image, from and to; from code"
    )


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class IntraSection:
    """Stage 2: learning inside each camera."""

    epochs: Count = Field(default=5, description="epochs of the stage; from code")
    lam: Share = Field(
        default=0.6,
        description="weight of the centroids against the instances; MSMT17 0.0 from code",
    )
    instances: Count = Field(default=32, description="memory rows per camera identity; from code")
    memory_triplet: Switch = Field(default=True, description="triplet against the centroids")
    triplet: Switch = Field(default=True, description="triplet inside the batch, camera by camera")
    text: Switch = Field(default=True, description="image against the prompts of its camera")


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class AssociationSection:
    """How camera identities are linked across cameras, every epoch of inter."""

    rate: Positive = Field(
        default=1.5,
        description="closest pairs kept, per camera identity; 1.7 / 1.5 / 1.3 from code",
    )
    one_per_camera: Switch = Field(
        default=False, description="refuse a link that puts two of one camera in a group; ours"
    )


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class IcalSection:
    """The camera-agnostic adversarial loss."""

    enabled: Switch = Field(default=True, description="switch of the term")
    window: tuple[Index, Index] = Field(
        default=(40, 50), description="loop epochs, first and end (excluded); from code"
    )
    margin: Angle = Field(
        default=0.7, description="additive angle, radians; .7 Market, .3 Duke, .5 MSMT17 from code"
    )
    epsilon: Share = Field(default=0.8, description="target mass spread over positives; from code")
    tau: NonNegative = Field(default=0.2, description="raises own-camera negatives; from code")
    scale: Positive = Field(default=16.0, description="scale of the cosines; from code")
    weight: NonNegative = Field(default=1.0, description="weight of the term; from code")


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class InterSection:
    """Stage 3: learning across cameras."""

    epochs: Count = Field(default=75, description="epochs of the stage; from code")
    triplet: Switch = Field(default=True, description="triplet inside the batch, by group")
    text: Switch = Field(default=True, description="image against the text of its group")
    text_from: Index = Field(
        default=10, description="loop epoch from which text is used; 10 / 40 / 40 from code"
    )
    memory_temperature: Positive = Field(
        default=0.05, description="temperature of both memories; from code"
    )
    memory_momentum: Share = Field(default=0.1, description="share of the old centroid; from code")
    association: AssociationSection = AssociationSection()
    ical: IcalSection = IcalSection()


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class EvalSection:
    """When the embedding is evaluated."""

    every: Count = Field(
        default=10, description="stage epochs between evaluations; each stage ends with one"
    )


@dataclass(frozen=True, kw_only=True, config=_SECTION)
class RunConfig:
    """Everything that determines a run; stored as JSON and all that a worker reads."""

    run: RunSection = RunSection()
    data: DataSection = DataSection()
    model: ModelSection = ModelSection()
    prompt: PromptSection = PromptSection()
    train: TrainSection = TrainSection()
    intra: IntraSection = IntraSection()
    inter: InterSection = InterSection()
    eval: EvalSection = EvalSection()

    @model_validator(mode="after")
    def _sections_agree(self, info: ValidationInfo) -> Self:
        if info.context == _LOOKING:
            return self
        for message in (*self._stage_conflicts(), *self._epoch_conflicts()):
            raise ValueError(message)
        return self

    @property
    def loop_epochs(self) -> int:
        """Epochs of intra and inter together, as far as they are configured."""
        return self.intra.epochs + self.inter.epochs

    def epochs(self, stage: Stage) -> int:
        """Number of epochs of a stage."""
        section: PromptSection | IntraSection | InterSection = getattr(self, stage)
        return section.epochs

    def loop_epoch(self, stage: Stage, epoch: int) -> int:
        """Loop epoch (from 0, intra and inter together) of a stage epoch (from 1)."""
        return epoch - 1 + (self.intra.epochs if stage == "inter" else 0)

    def counts_for_best(self, stage: Stage) -> bool:
        """Whether an evaluation after this stage may be the best of the run.

        The row after `prompt` shows the untouched image tower, so it counts only when nothing
        is trained after it.
        """
        return stage != "prompt" or self.run.stages[-1] == "prompt"

    @property
    def uses_text(self) -> bool:
        """Whether a stage of this run compares images with the prompts."""
        stages = self.run.stages
        return ("intra" in stages and self.intra.text) or ("inter" in stages and self.inter.text)

    def inherited(self, stage: Stage) -> dict[str, Any]:
        """Full key and value of every setting that determines the state before a stage.

        A run that takes the stages before `stage` from another run must agree with it in these.
        The seed is not among them: it may differ, and then decides what comes after.
        """
        sections = ["data", "model", *STAGES[: STAGES.index(stage)]]
        keys = [f"{name}." for name in sections]
        if stage == "inter":  # trained by intra, whose memory takes two settings of inter
            keys += ["train.", "inter.memory_temperature", "inter.memory_momentum"]
        return {key: value for key, value in flatten(self).items() if key.startswith(tuple(keys))}

    def cautions(self) -> list[str]:
        """Settings that are allowed and known to hurt, a sentence each."""
        ical = self.inter.ical
        found: list[str] = []
        if not ical.enabled or "inter" not in self.run.stages:
            return found
        first_step = min(self.train.lr_steps, default=self.loop_epochs)
        if ical.window[0] < first_step - 2:
            found.append(
                f"inter.ical.window starts at epoch {ical.window[0]}, more than two epochs before "
                f"the first lr step ({first_step}): ICAL is reported to hurt while lr is high."
            )
        if ical.weight > 1:
            found.append(
                f"inter.ical.weight is {ical.weight:g}: adversarial terms above 1 are reported to "
                "destroy the embedding."
            )
        return found

    def _stage_conflicts(self) -> list[str]:
        found, stages = [], self.run.stages
        if self.run.gpus > 1:
            found.append(
                f"run.gpus is {self.run.gpus}, but only one GPU per run is built. Set it to 1"
            )
        if not any(stages == STAGES[i:j] for i in range(3) for j in range(i + 1, 4)):
            found.append(
                f"run.stages is {list(stages)}, but a run trains neighbours of prompt, intra, "
                "inter, in this order"
            )
        if (self.model.weights == "shipped") != (self.model.backbone == "tiny") and (
            self.model.weights in ("shipped", "openai")
        ):
            found.append(
                f"model.weights {self.model.weights!r} do not exist for the backbone "
                f"{self.model.backbone!r}. Use 'shipped' with tiny and 'openai' with RN50-quickgelu"
            )
        if self.train.k > self.intra.instances:
            found.append(
                f"train.k is {self.train.k}, above intra.instances {self.intra.instances}: the "
                "memory has no row for each image of an identity. Raise intra.instances"
            )
        low, high = self.train.erase_area
        if self.train.erase > 0 and not 0 < low <= high:
            found.append(f"train.erase_area is [{low:g}, {high:g}]; give two shares, smaller first")
        return found

    def _epoch_conflicts(self) -> list[str]:
        found, inter, last = [], self.inter, self.loop_epochs
        if tuple(sorted(self.train.lr_steps)) != self.train.lr_steps:
            found.append(f"train.lr_steps {list(self.train.lr_steps)} must ascend")
        if "inter" not in self.run.stages:
            return found
        first, end = inter.ical.window
        if inter.ical.enabled and not self.intra.epochs <= first < end <= last:
            found.append(
                f"inter.ical.window is [{first}, {end}], outside the loop epochs "
                f"{self.intra.epochs} to {last} of the inter stage (end excluded). Move the window "
                "or set inter.ical.enabled=false"
            )
        if inter.text and inter.text_from >= last:
            found.append(
                f"inter.text_from is {inter.text_from}, after the last loop epoch {last - 1}. "
                "Lower it or set inter.text=false"
            )
        return found


def stage_named(name: str) -> Stage:
    """The stage of that name, for names that come back from a file.

    Raises:
        ValueError: there is none.
    """
    return STAGES[[str(stage) for stage in STAGES].index(name)]


_ADAPTER = TypeAdapter(RunConfig)


def to_json(config: RunConfig) -> str:
    """The resolved config as JSON text, every field present."""
    return _ADAPTER.dump_json(config).decode()


def from_json(text: str) -> RunConfig:
    """The config stored by `to_json`.

    Raises:
        ConfigError: the text is not a config of this version.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            f"The stored config cannot be read: {_first(error)}. It was written by another "
            "version of ccafl; add the run again."
        ) from error


def for_looking(text: str) -> RunConfig:
    """The config of a run that another version stored, to look at the run and for nothing else.

    What this version does not know is left out; what it lacks or refuses has its default.

    Raises:
        ConfigError: the text is not a config of any version.
    """
    try:
        return _ADAPTER.validate_json(text, context=_LOOKING)
    except ValidationError as error:
        places = [detail["loc"] for detail in error.errors(include_url=False)]
        if () in places:
            raise ConfigError(f"The stored config cannot be read: {_first(error)}.") from error
    values = json.loads(text)
    for place in places:
        _leave_out(values, place)
    return _ADAPTER.validate_json(json.dumps(values), context=_LOOKING)


def from_mapping(values: dict[str, Any]) -> RunConfig:
    """The config of nested plain values (as a TOML file gives them).

    Raises:
        pydantic.ValidationError: a value is refused; `ccafl.presets` turns it into a sentence.
    """
    return _ADAPTER.validate_python(values)


def keys(section: type[Any] = RunConfig, prefix: str = "") -> dict[str, Any]:
    """Full key of every setting (`inter.ical.margin`), with its dataclass field."""
    found: dict[str, Any] = {}
    for field in fields(section):
        key = f"{prefix}{field.name}"
        if is_dataclass(field.type):
            found |= keys(cast(type[Any], field.type), f"{key}.")
        else:
            found[key] = field
    return found


def flatten(config: RunConfig) -> dict[str, Any]:
    """Full key and value of every setting, tuples as lists."""
    found: dict[str, Any] = {}

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{key}.{name}" if key else name)
        else:
            found[key] = value

    walk(_ADAPTER.dump_python(config, mode="json"), "")
    return found


def _leave_out(values: dict[str, Any], place: Sequence[str | int]) -> None:
    """Remove the setting or the section at a place; what is wrong inside a value removes it all."""
    name, *inner = map(str, place)
    if inner and isinstance(values.get(name), dict):
        _leave_out(values[name], inner)
    else:
        values.pop(name, None)


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
