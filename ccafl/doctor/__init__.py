"""What this machine and this state folder offer, lack or have broken, each with its repair.

Looking changes nothing; only `ccafl doctor` itself offers a repair, and asks first.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ccafl.doctor import machine, pieces, state
from ccafl.doctor.findings import Finding
from ccafl.paths import Home
from ccafl.sentences import printable
from ccafl.tables import Table, byte_count
from ccafl.tables import as_text as table_text

__all__ = ["Diagnosis", "Finding", "as_object", "as_text", "examine"]

SHOWN = 10  # largest users of the disk that are listed; JSON holds all


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Everything that was found; `disk` holds bytes by what uses them, largest first."""

    findings: Sequence[Finding]
    disk: Sequence[tuple[str, int]]

    @property
    def is_well(self) -> bool:
        """Whether nothing needs repair."""
        return all(finding.level != "problem" for finding in self.findings)

    @property
    def needs_rebuild(self) -> bool:
        """Whether the database must be made again from the folders of the runs."""
        return any(finding.rebuild for finding in self.findings)


def examine(home: Home) -> Diagnosis:
    """Look at the machine, the state folder, the database and every run."""
    findings = [*machine.examine(), *state.examine(home)]
    if not any(finding.rebuild for finding in findings):
        findings += pieces.examine(home)
    return Diagnosis(findings=findings, disk=state.disk_use(home))


def as_text(found: Diagnosis, width: int | None = None) -> str:
    """Problems last, where the eye rests; then what uses the disk."""
    order = sorted(found.findings, key=lambda finding: finding.level == "problem")
    rows = [[finding.level, finding.subject, _prose(finding)] for finding in order]
    text = table_text(
        Table(["", "Subject", "Finding, and what to do"], rows, ends_in_prose=True), width
    )
    used = [(what, size) for what, size in found.disk if size]
    if used:
        table = Table(["Disk", "Size"], [[what, byte_count(size)] for what, size in used[:SHOWN]])
        text += "\n" + table_text(table, width)
    return text


def as_object(found: Diagnosis) -> dict[str, Any]:
    """One object for programs."""
    return {
        "well": found.is_well,
        "findings": [asdict(finding) for finding in found.findings],
        "disk": [{"what": what, "bytes": size} for what, size in found.disk],
    }


def _prose(finding: Finding) -> str:
    return printable(" ".join(part for part in (finding.text, finding.remedy) if part))
