"""The `ccafl` command that would queue a run once more."""

import json
import shlex

from ccafl.overview import differences, flatten_stored
from ccafl.paths import Home, find_home
from ccafl.presets import PRESETS
from ccafl.store import RunRow


def command(run: RunRow, home: Home) -> str:
    """The run as preset, options and settings that differ, quoted for a shell."""
    words = [
        "ccafl",
        "queue",
        "add",
        "--preset",
        run.preset if run.preset in PRESETS else "default",
    ]
    root = flatten_stored(run).get("data.root", "")
    options = [("--data", root), ("--gpu", run.gpu), ("--name", run.name), ("--note", run.note)]
    options += [("--tag", tag) for tag in run.tags]
    options += [("--from", str(run.source))] if run.source is not None else []
    for key, values in differences(run).items():
        if key == "run.stages":
            options.append(("--stages", ",".join(values["run"])))
        elif values["run"] is not None:
            options.append(("--set", f"{key}={json.dumps(values['run'], ensure_ascii=False)}"))
    if home != find_home(None):
        options.append(("--home", str(home.root)))
    return shlex.join([*words, *(word for pair in options if pair[1] for word in pair)])
