"""How often the supervisor does what, and for how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Times in seconds; tests shorten them."""

    tick_s: float = 0.25  # a step is in the database less than a second after it was made
    beat_s: float = 5.0
    idle_s: float = 600.0  # without a run, the supervisor leaves
    lock_s: float = 60.0  # between two looks whether lock and database are still the same files
    damaged_s: float = 300.0  # an event file may be shorter than known for this long (NFS)
    look_s: float = 2.0  # between two looks at what queued runs wait for
    overtake_s: float = 1800.0  # after this long the GPUs a run waits for are kept for it
    give_back_s: float = 30.0  # an ended run may hold a GPU's memory for this long
    quiet_s: float = 600.0  # without an event for this long, and for 20 steps, a run is warned of
    console_s: float = 1.0  # between two looks at the sizes of consoles
    upkeep_s: float = 3600.0  # between two rounds of care for the database
    losses: int = 3  # a run lost this often in a row without a checkpoint stays lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a run may take to stop, in seconds.

    The longest that a worker does not look for a request is to rank a large gallery, about 30 s
    for MSMT17; then it saves up to 2 GB, which takes a minute on a slow disk. Nobody has to wait
    for a run that hangs: a second request kills it at once.
    """

    save_s: float = 300.0  # from the request to SIGTERM
    term_s: float = 45.0  # from there to SIGKILL: torchrun itself gives its ranks 30 s
    gone_s: float = 60.0  # a killed process may hang in the kernel for this long
