"""Rows as text, JSON, CSV, Markdown and LaTeX."""

import csv
import io
import json
from typing import Any

import pytest
from recorded import Recorded, epoch, evaluation, pair, recorded
from rich.cells import cell_len

from ccafl import listings
from ccafl.tables import (
    Table,
    as_latex,
    as_markdown,
    as_tabs,
    as_text,
    association_table,
    byte_count,
    camera_table,
    duration,
    evaluation_table,
    queue_objects,
    queue_table,
    stage_results,
)

__all__ = ["recorded"]

NASTY = "a|b_c & 5% \x1b[31m[red] \u202e"
FOUR = (
    evaluation("prompt", 8, 144, 0.9),
    evaluation("intra", 3, 174, 0.45),
    evaluation("inter", 3, 204, 0.7512),
    evaluation("inter", 6, 234, 0.7449),
)


def lines(table: Table, width: int | None = None) -> list[str]:
    return as_text(table, width).splitlines()


def test_numbers_are_aligned_right_and_words_left() -> None:
    table = Table(["Name", "mAP"], [["a", "5.0"], ["longer", "75.1"]])
    assert lines(table) == ["Name     mAP", "a        5.0", "longer  75.1"]


def test_a_head_of_two_lines_stands_above_its_column() -> None:
    table = Table(["ID", "mAP\nbest"], [["1", "75.1"]])
    assert lines(table) == ["     mAP", "ID  best", " 1  75.1"]


def test_wide_characters_keep_columns_in_line() -> None:
    table = Table(["Name", "State"], [["行人重识别", "ok"], ["e\u0301te", "ok"]])
    assert {cell_len(line[: line.index("ok")]) for line in lines(table)[1:]} == {12}


def test_a_table_too_wide_shortens_names_first() -> None:
    table = Table(["Name", "State"], [["n" * 36 + "-s=1", "finished"]])
    assert lines(table, 30)[1] == "n" * 6 + "…" + "n" * 9 + "-s=1  finished"


def test_columns_that_do_not_fit_are_left_out_from_the_right_and_named() -> None:
    table = Table(["ID", "Name", "Dataset", "Tags"], [["1", "short", "d" * 20, "t" * 20]])
    assert lines(table, 40)[-1] == "Left out for want of width: Tags."
    assert all(len(line) <= 40 for line in lines(table, 40))
    assert "t" * 20 in as_text(table)


def test_prose_is_wrapped_under_itself_on_a_terminal_only() -> None:
    table = Table(["ID", "Why"], [["1", "waits for the one device " * 3]], ends_in_prose=True)
    assert len(lines(table)) == 2
    wrapped = lines(table, 40)
    assert len(wrapped) == 4
    assert wrapped[2].startswith("    ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 m"), (3599, "1 h 0 m"), (18_720, "5 h 12 m"), (9e5, "10 d")],
)
def test_durations_read_as_on_a_watch(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_499, "99.5 kB"),
        (99_500, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_440_000_000, "3.4 GB"),
        (10**19, "10000 PB"),
    ],
)
def test_sizes_read_as_on_a_disk(size: int, text: str) -> None:
    assert byte_count(size) == text


def test_history_shows_last_and_best_apart(recorded: Recorded) -> None:
    recorded.finished(*FOUR, name="both", tags=("main", "ical"))
    head, labels, row = lines(listings.history(recorded.store.history()).table)
    assert (head.split(), labels.split()[4:8]) == (
        ["mAP", "Rank-1", "mAP", "Rank-1"],
        ["last", "last", "best", "best"],
    )
    assert row.split()[:8] == "1 both finished demo-0 74.5 84.5 75.1 85.1".split()
    assert row.endswith("ical main")


def test_history_of_a_run_without_evaluation_holds_dashes(recorded: Recorded) -> None:
    recorded.end(recorded.start(name="none"), "failed", "it broke")
    row = lines(listings.history(recorded.store.history()).table)[-1]
    assert row.split()[:9] == "1 none failed demo-0 - - - - -".split()


def test_history_objects_give_fractions_of_the_last_evaluation(recorded: Recorded) -> None:
    recorded.finished(*FOUR, name="both", tags=("main",))
    found: dict[str, Any] = json.loads(listings.history(recorded.store.history()).text("json"))[0]
    wanted = "id name state dataset tags stage epoch mean_ap rank1 rank5 rank10 mean_inp".split()
    assert all(key in found for key in (*wanted, "config", "ended"))
    assert (found["mean_ap"], found["best"]["mean_ap"]) == (0.7449, 0.7512)
    assert (found["stage"], found["epoch"], found["best"]["epoch"]) == ("inter", 6, 3)
    assert found["config"]["inter"]["ical"]["window"] == [6, 8]
    assert found["ended"] == "2001-09-09T01:47:55+00:00"


def test_csv_has_one_line_per_run_and_quotes_what_it_must(recorded: Recorded) -> None:
    recorded.finished(*FOUR, name='a, "b"\nc')
    text = listings.history(recorded.store.history()).text("csv")
    found = next(csv.DictReader(io.StringIO(text)))
    assert (found["name"], found["mean_ap"]) == ('a, "b"\nc', "0.7449")
    assert found["best_mean_ap"] == "0.7512"
    assert "config" not in found


def test_no_name_steers_the_terminal(recorded: Recorded) -> None:
    recorded.finished(name=NASTY, dataset=NASTY, tags=(NASTY,))
    recorded.add(name=NASTY)
    runs = recorded.store.runs()
    for table in (listings.history(runs).table, queue_table(runs)):
        for write in (as_text, as_markdown, as_latex):
            assert not set(write(table)) & {"\x1b", "\u202e"}
    assert "[31m[red]" in as_text(listings.history(runs).table)


def test_markdown_escapes_what_would_break_its_table(recorded: Recorded) -> None:
    recorded.finished(name=NASTY)
    text = as_markdown(listings.history(recorded.store.history()).table)
    head, rule, row = text.splitlines()
    assert head.count(" | ") == rule.count(" | ") == 10
    assert r"a\|b\_c" in row
    assert "mAP last" in head


def test_latex_escapes_its_own_characters(recorded: Recorded) -> None:
    recorded.finished(*FOUR, name="50% of $x_1 & {y} #2 ~ ^ \\")
    text = listings.history(recorded.store.history()).text("latex")
    assert r"50\% of \$x\_1 \& \{y\} \#2 \textasciitilde{} \textasciicircum{}" in text
    assert text.startswith(r"\begin{tabular}{rllrrrrrl}")
    assert text.count(r" \\") == 2
    assert r"\textbackslash{}" in text


def test_latex_knows_no_sign_that_papers_lack() -> None:
    text = as_latex(Table(("Name", "Δ"), [("A 1 ●", "56.5 ± 2.0")]))
    assert text.isascii()
    assert r"Name & $\Delta$" in text
    assert r"56.5 $\pm$ 2.0" in text


def test_a_paper_gets_all_metrics_of_one_evaluation(recorded: Recorded) -> None:
    recorded.finished(*FOUR, name="both")
    runs = recorded.store.history()
    last, best = (listings.history(runs, which).paper for which in ("last", "best"))
    heads = "ID Name Dataset mAP Rank-1 Rank-5 Rank-10 mINP".split()
    assert [*last.heads] == [*heads, "Last at"]
    assert last.rows == [["1", "both", "demo-0", *"74.5 84.5 94.5 96.5 37.2".split(), "inter 6"]]
    assert (best.heads[-1], best.rows[0][3], best.rows[0][-1]) == ("Best at", "75.1", "inter 3")


def test_the_best_of_each_data_set_is_bold(recorded: Recorded) -> None:
    for value, dataset in ((0.6, "A"), (0.7, "A"), (0.70004, "A"), (0.5, "B")):
        recorded.finished(evaluation("inter", 6, 234, value), dataset=dataset)
    listing = listings.history(recorded.store.history(sort="id", reverse=True))
    bold = [row.count("**") // 2 for row in listing.text("markdown").splitlines()[2:]]
    assert bold == [0, 5, 5, 0]  # printed alike, both are best; alone on B, none is
    assert listing.text("latex").count(r"\textbf{70.0} & \textbf{80.0}") == 2


def test_tabs_stand_between_pasted_cells() -> None:
    table = Table(("Name", "mAP\nlast"), [("a", "57.9")])
    assert as_tabs(table) == "Name\tmAP last\na\t57.9\n"


def test_the_results_of_a_run_are_the_last_of_each_stage_and_the_best(recorded: Recorded) -> None:
    run_id = recorded.finished(*FOUR)
    rows = evaluation_table(stage_results(recorded.store.evaluations(run_id))).rows
    assert [tuple(row[:3]) for row in rows] == [
        ("prompt", "8", "last"),
        ("intra", "3", "last"),
        ("inter", "3", "best"),
        ("inter", "6", "last"),
    ]
    assert list(rows[2][3:]) == ["75.1", "85.1", "95.1", "97.1", "37.6", "166", "4"]


def test_an_evaluation_that_is_last_and_best_stands_once(recorded: Recorded) -> None:
    run_id = recorded.finished(evaluation("inter", 3, 204, 0.5), evaluation("inter", 6, 234, 0.6))
    rows = evaluation_table(stage_results(recorded.store.evaluations(run_id))).rows
    assert [row[2] for row in rows] == ["last, best"]


def test_results_fit_eighty_columns_whole(recorded: Recorded) -> None:
    perfect = dict.fromkeys(("rank1", "rank5", "rank10", "mean_inp"), 1.0)
    run_id = recorded.finished(evaluation("inter", 6, 234, 1.0, queries=11_659, **perfect))
    table = evaluation_table(recorded.store.evaluations(run_id))
    assert as_text(table, 80) == as_text(table)


def test_cameras_form_a_matrix_with_holes(recorded: Recorded) -> None:
    pairs = (pair(1, 2, 0.5), pair(2, 1, 0.25), pair(3, 1, 0.75))
    run_id = recorded.finished(evaluation("inter", 6, 234, 0.6, camera_pairs=pairs))
    table = camera_table(recorded.store.camera_pairs(run_id, 234))
    assert [list(row) for row in table.rows] == [
        ["1", "-", "50.0"],
        ["2", "25.0", "-"],
        ["3", "75.0", "-"],
    ]


def test_association_is_shown_for_epochs_that_linked(recorded: Recorded) -> None:
    quality = {"linked": 1240, "groups": 48, "conflicts": 3, "precision": 0.85, "recall": 0.91}
    run_id = recorded.finished(epoch("intra", 3, 174), epoch("inter", 1, 184, **quality))
    rows = association_table(recorded.store.epochs(run_id)).rows
    assert [list(row) for row in rows] == [["1", "1,240", "48", "3", "85.0", "91.0"]]


def test_the_queue_says_why_a_run_waits_and_what_another_does(recorded: Recorded) -> None:
    working = recorded.start(name="first")
    recorded.tell(working, epoch("intra", 2, 160))
    recorded.add(name="second")
    rows = queue_table(recorded.store.runs(("running", "queued"))).rows
    assert [row[2] for row in rows] == ["running", "queued"]
    assert rows[0][-1] == "intra, epoch 2, step 160 of 234"
    assert rows[1][-1].startswith("waits: ")
    assert queue_objects(recorded.store.runs(("queued",)))[0]["sentence"] == rows[1][-1]
