"""One background process per state folder that starts runs and records what becomes of them.

`ensure_supervisor` is for clients; `python -m ccafl.supervisor --home DIR` is the process.
"""

from ccafl.supervisor.client import ensure_supervisor
from ccafl.supervisor.loop import Supervisor
from ccafl.supervisor.pace import Pace, Patience

__all__ = ["Pace", "Patience", "Supervisor", "ensure_supervisor"]
