"""What the check of a data folder has found, as the texts of the datasets screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccafl.sentences import printable

if TYPE_CHECKING:
    from ccafl.datasets import Problem, Report

MOST = 200  # problems that are shown; all of them are copied


def found_text(report: Report, width: int) -> str:
    """Facts, counts beside the published ones, the verdict, warnings, problems with their cure."""
    from ccafl.check_text import facts, split_table, verdict
    from ccafl.tables import as_text

    lines = []
    if report.dataset is not None:
        lines += [printable(line) for line in facts(report, report.dataset)]
        lines += ["", *as_text(split_table(report, report.dataset), width).splitlines()]
        lines += ["", f"Images opened: {report.opened:,}."]
    lines.append(printable(f"{'✗' if report.problems else '✓'} {verdict(report)}"))
    lines += [printable(f"warning: {warning}") for warning in report.warnings]
    lines += [_problem(report, problem) for problem in report.problems[:MOST]]
    hidden = len(report.problems) - MOST
    if hidden > 0:
        lines.append(f"and {hidden:,} more; y copies all of them")
    return "\n".join(lines)


def camera_text(report: Report, width: int) -> str:
    """Images and camera identities of each training camera."""
    from ccafl.check_text import camera_table
    from ccafl.tables import as_text

    if report.dataset is None:
        return "Nothing is known of its cameras."
    return as_text(camera_table(report, report.dataset), width)


def problem_list(report: Report) -> str:
    """Every problem on a line of its own, as it is."""
    return "\n".join(problem.message for problem in report.problems)


def _problem(report: Report, problem: Problem) -> str:
    """A problem, with paths as they are inside the folder."""
    return printable(f"error: {problem.message.replace(f'{report.root}/', '')}")
