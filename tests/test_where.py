"""The words that choose among ended runs."""

from datetime import datetime

import pytest
from recorded import Recorded, evaluation, recorded

from ccafl.errors import ConfigError
from ccafl.store.where import conditions, parse

__all__ = ["recorded"]

NOON = datetime(2026, 11, 1, 12).timestamp()

MATCHES = {
    "": [1, 2, 3],
    "BASE": [1],
    "margin": [1],
    "msmt": [2],
    "100%": [1],
    "%": [1],
    "_": [2],
    '"rn50 100%"': [1],
    '"rn50 100': [1],
    "rn50 text": [],
    "tag:main": [1, 3],
    "tag:mai": [],
    "tag:main tag:paper": [1],
    "dataset:market": [1],
    "dataset:arket": [],
    "state:fail": [3],
    "stage:prompt": [1, 3],
    "stage:in": [1, 2, 3],
    "backbone:TINY": [1, 2, 3],
    "backbone:RN50": [],
    "seed:7": [2],
    "ical.margin=0.3": [1],
    "inter.ical.margin=.30": [1],
    "ical.margin>0.5": [2, 3],
    "inter.text=no": [2],
    "inter.text=True": [1, 3],
    "model.weights=SHIPPED": [1, 2, 3],
    '"train.lr_steps=[7]"': [],
    'lr_steps="[ 7 ]"': [1, 2, 3],
    "map>55": [2],
    "mAP>=55": [1, 2],
    "map=60.1": [2],
    "rank1<70": [1],
    "minp<100": [1, 2],
    "epoch>5": [1, 2],
    "id<=2": [1, 2],
    "ended>2026-11-01": [2, 3],
    "ended>=2026-11-01": [1, 2, 3],
    "ended=2026-11-01": [1],
    "ended<=2026-11": [1, 2],
    "ended>2026-11": [3],
    "ended<2026": [],
    "ended=2026": [1, 2, 3],
    "started<2026-11-01": [],
    "took>2h": [3],
    "took<=90m": [1],
    "-tag:main": [2],
    "-map>55": [1, 3],
    "-rn50 -broken": [2],
    "'; DROP TABLE run; --": [],
}


@pytest.fixture
def past(recorded: Recorded) -> Recorded:
    """Two finished runs, one on each data set, and one that failed without a result."""
    first = recorded.finished(
        evaluation("intra", 3, 174, 0.62),
        evaluation("inter", 6, 234, 0.55),
        name="rn50 100% base",
        note='the "old" margin',
        tags=("main", "paper"),
        dataset="Market-1501",
        settings=("inter.ical.margin=0.3",),
    )
    second = recorded.finished(
        evaluation("inter", 6, 234, 0.601),
        name="no_text",
        dataset="MSMT17",
        settings=("run.seed=7", "inter.text=false", 'run.stages=["intra", "inter"]'),
    )
    third = recorded.start(name="Broken", tags=("Main",))
    recorded.end(third, "failed", "out of luck")
    with recorded.store.writing() as connection:
        for run_id, day in ((first, 0), (second, 1), (third, 40)):
            ended = NOON + day * 86_400
            connection.exec_driver_sql(
                "UPDATE run SET started = ?, ended = ? WHERE id = ?",
                (ended - 3600 * (1 + day), ended, run_id),
            )
    return recorded


def ids(past: Recorded, words: str) -> list[int]:
    """Numbers of the runs that match, which `count` counts."""
    found = sorted(run.id for run in past.store.history(where=words))
    assert past.store.count(words) == len(found)
    return found


def test_words_choose_runs(past: Recorded) -> None:
    assert {words: ids(past, words) for words in MATCHES} == MATCHES


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("map>", "'map>' needs a number, such as map>55"),
        ("map>5x", "needs a number"),
        ("map:55", "'map:55' needs a comparison, such as map>55"),
        ("epoch:5", "such as epoch>10"),
        ("tag:", "'tag:' needs a value, such as tag:main"),
        ("-", "needs text"),
        ("took>2", "unit s, m, h or d"),
        ("ended>2026-", "needs a day, such as ended>2026-11-01"),
        ("ended>2026-13", "there is no day 2026-13"),
        ("ended>9999", "there is no day 9999"),
        ("state:running", "known are finished, failed, cancelled, lost"),
        ("stage:x", "known are prompt, intra, inter"),
        ("ical.margn=1", "No field or setting is named 'ical.margn'; did you mean ical.margin?"),
        ("colour:red", "fields are tag, dataset"),
        ("daataset:x", "did you mean dataset?"),
        ("lr=1", "may be prompt.lr or train.lr; write more of it"),
        ("ical.margin:0.3", "such as ical.margin=0.3"),
        ("ical.margin>x", "needs a number, such as ical.margin>0.3"),
        ("seed:x", "such as seed:1"),
    ],
)
def test_a_word_without_a_meaning_is_a_sentence(words: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        conditions(f"good {words}")
    assert sentence in str(refused.value)


def test_metrics_are_those_of_the_last_or_the_best_evaluation(past: Recorded) -> None:
    assert [run.id for run in past.store.history(where="map>61")] == []
    assert [run.id for run in past.store.history(where="map>61", which="best")] == [1]
    assert past.store.count("map>61", which="best") == 1
    best_first = past.store.history(sort="mean_ap", which="best")
    assert [run.id for run in best_first] == [1, 2, 3]
    reversed_last = past.store.history(sort="mean_ap", reverse=True)
    assert [run.id for run in reversed_last] == [1, 2, 3]  # without a result comes last both ways
    assert [run.id for run in past.store.history(sort="took", reverse=True)] == [1, 2, 3]


def test_a_run_of_another_version_has_none_of_the_settings(past: Recorded) -> None:
    with past.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET config = '{\"old\": 1}' WHERE id = 1")
    assert ids(past, "ical.margin>0") == [2, 3]
    assert ids(past, "stage:inter") == [2, 3]


def test_a_filter_is_taken_apart_as_it_is_read() -> None:
    words = [(word.name, word.sign, word.value, word.excludes) for word in parse('-a:"b c" d>=2 e')]
    assert words == [("a", ":", "b c", True), ("d", ">=", "2", False), ("", "", "e", False)]
