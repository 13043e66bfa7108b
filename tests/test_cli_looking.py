"""`ccafl queue`, `history`, `show`, `compare`, `log`: what they print; what cancelling does."""

import csv
import io
import json
import re

import pytest
from recorded import Recorded, epoch, evaluation, pair
from terminal import Terminal, ccafl, on_a_terminal, past, queue
from toy_queue import ToyQueue

__all__ = ["ccafl", "past", "queue"]

EVALUATIONS = (
    evaluation("intra", 3, 174, 0.45),
    epoch("inter", 3, 204, linked=40, groups=17, conflicts=2, precision=0.8, recall=0.9),
    evaluation("inter", 3, 204, 0.7512),
    evaluation("inter", 6, 234, 0.7449, camera_pairs=(pair(1, 2, 0.81), pair(2, 1, 0.42, 31))),
)


def test_the_queue_lists_runs_with_the_sentence_why(ccafl: Terminal, past: Recorded) -> None:
    past.start(name="works")
    past.add(name="waits")
    answer = ccafl("queue")
    lines = answer.out.splitlines()
    assert answer.code == 0
    assert [line.split()[1] for line in lines] == ["Name", "works", "waits"]
    assert lines[2].endswith("waits: the queue has not come to it yet")


def test_the_queue_as_json_is_a_list_of_objects(ccafl: Terminal, past: Recorded) -> None:
    past.add(name="[red]\x1b[31m", tags=("t",))
    (found,) = json.loads(ccafl("queue", "--format", "json").out)
    assert (found["id"], found["name"], found["state"]) == (1, "[red]\x1b[31m", "queued")
    assert found["tags"] == ["t"]


def test_ended_runs_are_not_in_the_queue(ccafl: Terminal, past: Recorded) -> None:
    past.finished()
    assert ccafl("queue").out.startswith("The queue is empty.")
    assert ccafl("queue", "--format", "json").out == "[]\n"


def test_cancel_takes_several_runs_and_names_those_it_cannot(
    ccafl: Terminal, queue: ToyQueue
) -> None:
    queue.serve()
    first = queue.add(steps=10_000)
    queue.wait_for_step(first, 3)
    second = queue.add()
    answer = ccafl("queue", "cancel", str(second), "99", str(first))
    assert answer.code == 1
    assert "error: There is no run 99" in answer.err
    assert f"Run {second} is cancelled; it had not started." in answer.out
    assert queue.store.run(second).state == "cancelled"
    assert queue.wait_for(first, "cancelled").checkpoint


def test_naming_a_run_twice_does_not_kill_it(ccafl: Terminal, queue: ToyQueue) -> None:
    queue.serve()
    run_id = queue.add(steps=10_000)
    queue.wait_for_step(run_id, 3)
    assert ccafl("queue", "cancel", str(run_id), str(run_id)).code == 0
    assert queue.wait_for(run_id, "cancelled").cancel_requested == 1


def test_without_a_database_nothing_is_listed_and_nothing_is_made(ccafl: Terminal) -> None:
    assert "No run has ended yet." in ccafl("history").out
    assert "The queue is empty." in ccafl("queue").out
    assert ccafl("history", "--format", "json").out == "[]\n"
    assert ccafl("history", "--format", "csv").out.startswith("id,name,state,")
    assert not ccafl.home.exists()


def test_history_gives_each_form(ccafl: Terminal, past: Recorded) -> None:
    past.finished(*EVALUATIONS, name="first", tags=("main",))
    assert "74.5" in ccafl("history").out
    (found,) = json.loads(ccafl("history", "--format", "json").out)
    assert (found["mean_ap"], found["best"]["mean_ap"]) == (0.7449, 0.7512)
    text = ccafl("history", "--format", "csv").out
    assert ccafl("history", "--format", "csv", "--tag", "none").out == text.splitlines(True)[0]
    (record,) = csv.DictReader(io.StringIO(text))
    assert (record["name"], record["best_mean_ap"]) == ("first", "0.7512")
    assert ccafl("history", "--format", "markdown").out.startswith("| ID | Name |")
    assert r"\toprule" in ccafl("history", "--format", "latex").out


def test_history_filters_sorts_and_limits(ccafl: Terminal, past: Recorded) -> None:
    past.finished(evaluation("inter", 6, 234, 0.5), dataset="A", tags=("main",))
    past.finished(evaluation("inter", 6, 234, 0.7), dataset="A")
    past.finished(evaluation("inter", 6, 234, 0.6), dataset="B", tags=("main",))

    def listed(*arguments: str) -> list[int]:
        found = json.loads(ccafl("history", "--format", "json", *arguments).out)
        return [run["id"] for run in found]

    assert listed("--sort", "mean_ap") == [2, 3, 1]
    assert listed("--sort", "mean_ap", "--limit", "1") == [2]
    assert listed("--dataset", "A", "--tag", "main") == [1]
    assert listed("--tag", "none") == []
    assert listed("--where", "map>55 dataset:a") == [2]
    assert listed("--where", "-tag:main", "--dataset", "A") == [2]
    assert "No ended run matches." in ccafl("history", "--where", "id>9").out
    for option in (("--tag", "none"), ("--tag", ""), ("--dataset", "")):
        assert "No ended run matches." in ccafl("history", *option).out


def test_published_results_are_listed_apart_with_where_they_come_from(
    ccafl: Terminal, past: Recorded
) -> None:
    past.finished(name="mine")
    answer = ccafl("history", "--published", "--dataset", "Market-1501")
    assert answer.code == 0
    assert "Published results" in answer.err
    assert "CCAFL" in answer.out
    assert "mine" not in answer.out
    assert "DukeMTMC" not in answer.out
    (first,) = json.loads(ccafl("history", "--published", "--format", "json", "--limit", "1").out)
    assert first["published"] is True
    assert {"setting", "backbone", "image_size", "source", "mean_ap"} <= set(first)
    assert ccafl("history", "--published", "--format", "csv").out.startswith("published,dataset,")
    assert ccafl("history", "--published", "--format", "latex").out.startswith(r"\begin{tabular}")
    assert ccafl("history", "--published", "--format", "markdown").out.startswith("| Dataset ")


@pytest.mark.parametrize("option", [("--tag", "t"), ("--sort", "best"), ("--where", "x")])
def test_published_results_have_no_tags_and_one_order(
    ccafl: Terminal, option: tuple[str, str]
) -> None:
    answer = ccafl("history", "--published", *option)
    assert answer.code == 2
    assert option[0] in answer.err


def test_a_data_set_without_published_results_is_refused_with_those_that_have_some(
    ccafl: Terminal,
) -> None:
    answer = ccafl("history", "--published", "--dataset", "market1501")
    assert (answer.code, answer.out) == (2, "")
    assert all(f" {name}" in answer.err for name in ("Market-1501", "DukeMTMC-reID", "MSMT17"))


def test_a_terminal_shows_csv_without_obeying_it_and_a_file_keeps_the_names(
    ccafl: Terminal, past: Recorded
) -> None:
    past.finished(name="a\x1b[2Jb")
    code, screen = on_a_terminal("", "history", "--format", "csv")
    assert code == 0
    assert "1,a\\x1b[2Jb,finished," in screen
    assert "a\x1b[2Jb" in ccafl("history", "--format", "csv").out


def test_an_unknown_sort_key_is_refused_with_the_known_ones(ccafl: Terminal) -> None:
    answer = ccafl("history", "--sort", "map")
    assert answer.code == 2
    assert "mean_ap" in answer.err


def test_a_word_that_says_too_little_is_refused(ccafl: Terminal) -> None:
    answer = ccafl("history", "--where", "tag:main map>")
    assert (answer.code, answer.out) == (2, "")
    assert "'map>' needs a number, such as map>55." in answer.err


def test_show_tells_everything_about_a_run(ccafl: Terminal, past: Recorded) -> None:
    margin = ("inter.ical.margin=0.3",)
    run_id = past.finished(*EVALUATIONS, name="first", note="why", settings=margin)
    out = ccafl("show", str(run_id)).out
    for words in (
        "run 1  first",
        "state     finished",
        "note      why",
        "inter.ical.margin  0.3   (smoke: 0.7)",
        "inter      3  best",
        "worst: query camera 2 in gallery camera 1, mAP 42.0, Rank-1 42.0, 31 queries",
        "    3      40      17          2       80.0    90.0",
        str(past.home.run(run_id).root),
    ):
        assert words in out
    assert "data.root" not in out


def test_show_names_the_command_that_continues_a_run(ccafl: Terminal, past: Recorded) -> None:
    past.end(past.start(), "lost")
    past.finished()
    out = ccafl("show", "1").out
    assert "next      It had saved no checkpoint; `ccafl queue resume 1` starts it again." in out
    assert "resume" not in ccafl("show", "2").out


def test_show_ends_with_the_command_that_adds_a_run_with_an_error_again(
    ccafl: Terminal, past: Recorded
) -> None:
    past.end(past.start(settings=("train.p=8",)), "failed", "it broke")
    out = ccafl("show", "1").out
    assert "next      Correct the cause first: a setting by adding the run again" in out
    assert out.splitlines()[-2] == "to add it again"
    assert out.splitlines()[-1].startswith("ccafl queue add --preset smoke --data /sets/demo-0 ")
    assert "--set train.p=8" in out.splitlines()[-1]


def test_show_as_json_holds_all_rows(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.finished(*EVALUATIONS, settings=("train.p=8",))
    found = json.loads(ccafl("show", str(run_id), "--format", "json").out)
    assert [row["mean_ap"] for row in found["evaluations"]] == [0.45, 0.7512, 0.7449]
    assert found["camera_pairs"][1]["queries"] == 31
    assert found["epochs"][0]["groups"] == 17
    assert found["differences"] == {"train.p": {"run": 8, "preset": 16}}
    assert found["last"]["best"] is False


def test_show_reads_a_run_of_another_version(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.finished()
    with past.store.writing() as connection:
        connection.exec_driver_sql('UPDATE run SET config = \'{"old": {"key": 1}}\'')
    out = ccafl("show", str(run_id)).out
    assert "old.key" in out
    assert "(smoke: 0.7)" in out


def test_compare_shows_results_and_differing_settings_side_by_side(
    ccafl: Terminal, past: Recorded
) -> None:
    past.finished(*EVALUATIONS, name="first")
    past.finished(evaluation("inter", 6, 234, 0.76), name="second", settings=("train.p=8",))
    past.start(name="third", settings=("inter.ical.margin=0.3",))
    out = ccafl("compare", "1", "2", "3").out
    cells = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    rows = [row for row in cells if row[0] in ("A 1 first", "B 2 second", "C 3 third")]
    assert [row[1:5] for row in rows] == [
        ["74.5", "-", "84.5", "-"],
        ["*76.0", "+1.5", "*86.0", "+1.5"],
        ["-", "-", "-", "-"],
        ["75.1", "-", "85.1", "-"],
        ["*76.0", "+0.9", "*86.0", "+0.9"],
        ["-", "-", "-", "-"],
    ]
    assert rows[2][-1] == "- ●"
    assert rows[3][-1] == "3"
    assert "● has not finished" in out
    settings = {first: rest for first, *rest in cells}
    assert settings["Setting"] == ["A 1", "B 2", "C 3"]
    assert settings["train.p"] == ["16", "8", "16"]
    assert settings["inter.ical.margin"] == ["0.7", "0.7", "0.3"]
    assert "train.k" not in out
    assert "do not compare" not in out


def test_compare_measures_what_was_published_and_never_marks_it(
    ccafl: Terminal, past: Recorded
) -> None:
    past.finished(evaluation("inter", 6, 234, 0.579), dataset="MSMT17")
    past.finished(evaluation("inter", 6, 234, 0.551), dataset="MSMT17")
    out = ccafl("compare", "1", "2").out
    lines = [line.split() for line in out.splitlines()]
    assert ["CCAFL", "published", "58.9", "+1.0"] in [line[:4] for line in lines]
    assert ["CMT", "published", "51.3", "-6.6"] in [line[:4] for line in lines]
    assert "*58.9" not in out
    markdown = ccafl("compare", "1", "2", "--format", "markdown").out
    assert "| A 1 smoke seed 0 |" in markdown
    assert "**57.9**" in markdown
    assert "CMT published" in markdown
    records = list(csv.DictReader(io.StringIO(ccafl("compare", "1", "2", "--format", "csv").out)))
    assert [record["last_mean_ap"] for record in records] == ["0.579", "0.551"]
    assert r"\textbf{57.9}" in ccafl("compare", "1", "2", "--format", "latex").out


def test_compare_says_when_the_queries_differ(ccafl: Terminal, past: Recorded) -> None:
    past.finished(evaluation("inter", 6, 234, 0.5))
    past.finished(evaluation("inter", 6, 234, 0.6, queries=100))
    out = ccafl("compare", "1", "2").out
    assert "evaluated with different queries" in out
    assert "*" not in out


def test_compare_as_json(ccafl: Terminal, past: Recorded) -> None:
    past.finished(*EVALUATIONS)
    past.finished(settings=("train.p=8",), dataset="other", tags=("t",))
    found = json.loads(ccafl("compare", "2", "1", "--format", "json").out)
    assert found["differences"] == {"train.p": [8, 16]}
    assert [run["id"] for run in found["runs"]] == [2, 1]
    assert found["runs"][1]["last"]["mean_ap"] == 0.7449
    assert found["runs"][0]["last"] is None


def test_compare_says_what_does_not_compare(ccafl: Terminal, past: Recorded) -> None:
    past.finished()
    past.finished(dataset="other")
    past.finished()
    assert "do not compare" in ccafl("compare", "1", "2").out
    assert "settings: no difference" in ccafl("compare", "1", "3").out


def test_compare_reads_runs_of_another_version(ccafl: Terminal, past: Recorded) -> None:
    past.finished()
    past.finished()
    with past.store.writing() as connection:
        connection.exec_driver_sql('UPDATE run SET config = \'{"old": {"key": 1}}\' WHERE id = 1')
    assert "old.key" in ccafl("compare", "1", "2").out


@pytest.mark.parametrize(("given", "code"), [(["1"], 2), (["1", "1"], 2), (["1", "9"], 1)])
def test_compare_needs_two_runs_that_exist(
    ccafl: Terminal, past: Recorded, given: list[str], code: int
) -> None:
    past.finished()
    answer = ccafl("compare", *given)
    assert (answer.code, answer.out) == (code, "")


def test_names_and_notes_are_shown_and_not_obeyed(ccafl: Terminal, past: Recorded) -> None:
    nasty = "\x1b]0;title\x07 [red]x[/] \u202e"
    past.finished(name=nasty, note=nasty, tags=(nasty,), dataset=nasty)
    past.finished(name=nasty)
    shown = (("history",), ("show", "1"), ("history", "--format", "latex"), ("compare", "1", "2"))
    for arguments in shown:
        out = ccafl(*arguments).out
        assert not set(out) & {"\x1b", "\x07", "\u202e"}
        assert "title" in out
    assert r"\x1b]0;title\x07 [red]x[/] \u202e" in ccafl("show", "1").out


@pytest.mark.parametrize("command", [("show",), ("log",), ("queue", "cancel")])
def test_an_unknown_run_is_named(ccafl: Terminal, past: Recorded, command: tuple[str, ...]) -> None:
    answer = ccafl(*command, "7")
    assert answer.code == 1
    assert "error: There is no run 7" in answer.err


def test_a_log_is_printed_with_its_control_characters_visible(
    ccafl: Terminal, past: Recorded
) -> None:
    run_id = past.finished()
    past.home.run(run_id).console.write_bytes(b"one\n\x1b[31mtwo\x07 \xff\n[red]three")
    answer = ccafl("log", str(run_id))
    assert answer.out == "one\n\\x1b[31mtwo\\x07 \\xff\n[red]three\n"


def test_a_log_is_followed_to_the_end_of_the_run(ccafl: Terminal, queue: ToyQueue) -> None:
    queue.serve()
    run_id = queue.add(steps=40, say="hello", exit="error")
    answer = ccafl("log", str(run_id), "-f")
    assert (answer.code, answer.out) == (1, "hello\n")
    assert queue.store.run(run_id).state == "failed"


def test_a_run_without_a_log_says_why(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.add()
    answer = ccafl("log", str(run_id))
    assert (answer.code, answer.out) == (0, "")
    assert "waits" in answer.err
