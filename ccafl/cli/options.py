"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

LARGEST = 999_999_999  # no number of a run comes near it, and the database holds it


def _inherit(context: typer.Context, value: Path | None) -> Path | None:
    """The value given here, else the one given before the command: `ccafl --home DIR queue`."""
    here: typer.Context | None = context
    while value is None and here is not None:
        value = here.params.get("home")
        here = here.parent  # type: ignore[assignment]  # Typer's own contexts, typed as their base
    return value


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        callback=_inherit,
        help="State folder: $CCAFL_HOME if not given, else the user data folder.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="PRESET",
        help="Settings to begin with; see ccafl config. default if not given, or that of --from.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder that holds bounding_box_train, query and bounding_box_test, or MSMT17's list "
        "files. The presets demo and smoke draw a data set of their own if not given.",
    ),
]
LayersOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML file of settings; may be repeated, later files win."
    ),
]
FilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file of settings; several files, or a quoted pattern, add a run each.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting, after all files; may be repeated."
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One setting, after all files; may be repeated. Values separated by commas add a run "
        "each.",
    ),
]
StagesOption = Annotated[
    str | None,
    typer.Option(
        "--stages",
        metavar="STAGES",
        help="Stages to train: neighbours of prompt,intra,inter. All if not given.",
    ),
]
FromOption = Annotated[
    int | None,
    typer.Option(
        "--from",
        metavar="RUN",
        min=1,
        max=LARGEST,
        help="Run to take the earlier stages from; it may still be at work.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
GpuOption = Annotated[
    str | None,
    typer.Option(
        "--gpu",
        metavar="DEVICE",
        help="auto, cpu, an index or a UUID. auto: the next free GPU, else the CPU. Presets demo "
        "and smoke run on the CPU if not given.",
    ),
]
NameOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Name in lists; made from preset and seed.")
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Word to find the run by; may be repeated."),
]
NoteOption = Annotated[
    str, typer.Option("--note", metavar="TEXT", help="Free text, kept with the run.")
]
WhereOption = Annotated[
    str,
    typer.Option(
        "--where",
        metavar="WORDS",
        help="Only runs that match all words, such as 'tag:main map>50 ical.margin=0.3 -failed'; "
        "metrics in percent. docs/commands.md lists the words.",
    ),
]
ListFormat = Annotated[
    Literal["table", "json"], typer.Option("--format", help="Form of the output.")
]
HistoryFormat = Annotated[
    Literal["table", "json", "csv", "markdown", "latex"],
    typer.Option("--format", help="Form of the output; latex needs the package booktabs."),
]
RunArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST, help="Number of the run.")
]
RunsArgument = Annotated[
    list[int], typer.Argument(metavar="ID", min=1, max=LARGEST, help="Numbers of the runs.")
]
