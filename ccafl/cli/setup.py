"""`ccafl config` and `ccafl demo`: settings to begin with, and data to try them on."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ccafl.cli.output import progress_bar


def config(
    preset: Annotated[
        str | None,
        typer.Argument(metavar="PRESET", show_default=False, help="Preset to print as TOML."),
    ] = None,
) -> None:
    """List the presets, or print one.

    A preset is printed as commented TOML, which --config reads again.
    """
    from ccafl.presets import resolve, to_toml

    if preset is None:
        _list_presets()
    else:
        print(to_toml(resolve(preset)), end="")


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to create; an empty one is filled.")
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything drawn.")] = 0,
    identities: Annotated[
        int, typer.Option("--identities", help="Persons to train on; as many more to test on.")
    ] = 48,
    cameras: Annotated[int, typer.Option("--cameras", help="Cameras of both.")] = 5,
) -> None:
    """Draw the demo data set.

    Pedestrians in the layout of Market-1501; the same seed gives the same pictures.
    """
    from ccafl.datasets import scan
    from ccafl.demo import draw_dataset
    from ccafl.sentences import printable

    with progress_bar() as tell:
        progress = partial(tell, "drawing the demo data set")
        draw_dataset(folder, seed=seed, identities=identities, cameras=cameras, progress=progress)
    print(printable(scan(folder).summary()))
    print(printable(f"Try: ccafl run --preset demo --data {folder}"))


def _list_presets() -> None:
    from ccafl.presets import PRESETS, resolve
    from ccafl.tables import Table, as_text

    rows = []
    for name in PRESETS:
        values = resolve(name)
        size = "x".join(map(str, values.model.image_size))
        epochs = " + ".join(str(values.epochs(stage)) for stage in values.run.stages)
        rows.append([name, values.model.backbone, size, epochs])
    print(as_text(Table(["Preset", "Backbone", "Image", "Epochs"], rows)), end="")
    print("ccafl config PRESET prints one; ccafl run --preset PRESET trains with it.")
