"""`--stages` and `--from`: what a run may take from an earlier one."""

import json
from pathlib import Path

import pytest
from recorded import Recorded
from terminal import Answer, Terminal, ccafl, past

from ccafl.config import flatten, from_json

__all__ = ["ccafl", "past"]

SMOKE = ("--preset", "smoke")


def source(past: Recorded, data: Path, *settings: str, leaves: str = "intra") -> int:
    """A finished run of the preset smoke on some data, with what its stages leave."""
    run_id = past.finished(settings=(f"data.root={data}", *settings))
    folder = past.home.run(run_id)
    if leaves in ("prompt", "intra"):
        folder.prompts.touch()
    if leaves == "intra":
        folder.intra_end.mkdir()
    return run_id


def add(ccafl: Terminal, *arguments: str | Path) -> Answer:
    return ccafl("queue", "add", *arguments)


def refused(answer: Answer) -> str:
    """The one sentence of a refusal."""
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
    return answer.err


@pytest.mark.parametrize("stages", ["inter", "intra,inter", "intra"])
def test_a_run_takes_earlier_stages_with_data_and_preset_of_its_source(
    ccafl: Terminal, past: Recorded, drawn_set: Path, stages: str
) -> None:
    first = source(past, drawn_set)
    answer = add(ccafl, "--stages", stages, "--from", str(first))
    assert answer.code == 0
    run = past.store.run(int(answer.out))
    config = from_json(run.config)
    assert (run.source, run.preset) == (first, "smoke")
    assert (",".join(config.run.stages), config.data.root) == (stages, str(drawn_set))


def test_stages_may_stand_in_a_config_file(
    ccafl: Terminal, past: Recorded, drawn_set: Path, tmp_path: Path
) -> None:
    first = source(past, drawn_set)
    file = tmp_path / "inter.toml"
    file.write_text('[run]\nstages = ["inter"]\n', encoding="utf-8")
    assert add(ccafl, "--config", file, "--from", str(first)).code == 0


def test_seed_and_settings_of_own_stages_may_differ(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = source(past, drawn_set)
    own = ("--set", "run.seed=7", "--set", "inter.ical.margin=0.2")
    assert add(ccafl, "--stages", "inter", "--from", str(first), *own).code == 0


def test_settings_of_taken_stages_must_agree_and_all_differences_are_listed(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = source(past, drawn_set)
    changed = ("--set", "train.p=8", "--set", "intra.lam=0.5", "--set", "inter.ical.margin=0.2")
    words = refused(add(ccafl, "--stages", "inter", "--from", str(first), *changed))
    assert "train.p: 16 / 8; intra.lam: 0.6 / 0.5. " in words
    assert "margin" not in words
    assert add(ccafl, "--stages", "intra,inter", "--from", str(first), *changed).code == 0


def test_model_and_prompts_must_agree(ccafl: Terminal, past: Recorded, drawn_set: Path) -> None:
    first = source(past, drawn_set)
    changed = ("--set", "prompt.n_ctx=5", "--set", "model.image_size=[128, 64]")
    words = refused(add(ccafl, "--stages", "intra", "--from", str(first), *changed))
    assert "prompt.n_ctx: 4 / 5" in words
    assert "model.image_size: [64, 32] / [128, 64]" in words


def test_the_data_folder_must_be_the_same(
    ccafl: Terminal, past: Recorded, drawn_set: Path, tmp_path: Path
) -> None:
    first = source(past, drawn_set)
    other = tmp_path / "other"
    other.mkdir()
    words = refused(add(ccafl, "--stages", "inter", "--from", str(first), "--data", other))
    assert f'data.root: "{drawn_set}" / "{other}"' in words


def test_another_preset_is_compared_with_the_source(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = source(past, drawn_set)
    words = refused(add(ccafl, "--preset", "demo", "--stages", "inter", "--from", str(first)))
    assert "train.iterations: 10 / 20" in words


def test_a_run_that_begins_with_prompt_takes_nothing(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = source(past, drawn_set)
    for stages in ((), ("--stages", "prompt"), ("--stages", "prompt,intra")):
        words = refused(add(ccafl, *stages, "--from", str(first)))
        assert "begins with prompt and takes none" in words


def test_an_unknown_source_is_refused(ccafl: Terminal, past: Recorded) -> None:
    words = refused(add(ccafl, *SMOKE, "--stages", "inter", "--from", "9"))
    assert "--from 9: There is no run 9" in words


def test_a_source_of_another_version_is_refused(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = source(past, drawn_set)
    with past.store.writing() as connection:
        connection.exec_driver_sql('UPDATE run SET config = \'{"old": {"key": 1}}\'')
    words = refused(add(ccafl, "--stages", "inter", "--from", str(first)))
    assert "another version of ccafl" in words


def test_a_source_that_is_still_at_work_may_be_named(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = past.start(settings=(f"data.root={drawn_set}",))
    assert add(ccafl, "--stages", "inter", "--from", str(first)).code == 0


def test_a_source_that_waits_may_be_named_even_if_it_takes_stages_itself(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = past.add(settings=(f"data.root={drawn_set}",))
    second = int(add(ccafl, "--stages", "intra,inter", "--from", str(first)).out)
    assert add(ccafl, "--stages", "inter", "--from", str(second)).code == 0


def test_a_source_that_ended_before_the_stage_is_refused_with_the_way_on(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = past.end(past.start(settings=(f"data.root={drawn_set}",)), "failed", "it broke")
    past.home.run(first).prompts.touch()
    words = refused(add(ccafl, "--stages", "inter", "--from", str(first)))
    assert "ended (failed) before its intra stage" in words
    assert "`ccafl queue resume 1`" in words
    assert add(ccafl, "--stages", "intra", "--from", str(first)).code == 0


@pytest.mark.parametrize(("theirs", "ours"), [("prompt", "inter"), ("inter", "inter")])
def test_a_source_that_does_not_train_the_stage_is_refused(
    ccafl: Terminal, past: Recorded, drawn_set: Path, theirs: str, ours: str
) -> None:
    first = source(past, drawn_set, f"run.stages={json.dumps([theirs])}", leaves="prompt")
    words = refused(add(ccafl, "--stages", ours, "--from", str(first)))
    assert f"trains {theirs} and leaves no end of intra" in words


def test_inter_never_begins_alone(ccafl: Terminal, past: Recorded, drawn_set: Path) -> None:
    (past.home.prompts / "entry").mkdir(parents=True)
    words = refused(add(ccafl, *SMOKE, "--data", drawn_set, "--stages", "inter"))
    assert "Name that run with --from" in words


def test_intra_begins_alone_only_where_prompts_were_learned(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    alone = (*SMOKE, "--data", drawn_set, "--stages", "intra,inter")
    (past.home.prompts / ".half.part").mkdir(parents=True)
    assert "no run has learned any" in refused(add(ccafl, *alone))
    (past.home.prompts / "entry").mkdir()
    assert add(ccafl, *alone).code == 0


def test_intra_without_text_needs_no_prompts(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    alone = (*SMOKE, "--data", drawn_set, "--stages", "intra,inter", "--set", "intra.text=false")
    assert "switch text off" in refused(add(ccafl, *alone))
    assert add(ccafl, *alone, "--set", "inter.text=false").code == 0


def test_a_first_stage_alone_is_a_run(ccafl: Terminal, past: Recorded, drawn_set: Path) -> None:
    answer = add(ccafl, *SMOKE, "--data", drawn_set, "--stages", "prompt,intra")
    values = flatten(from_json(past.store.run(int(answer.out)).config))
    assert values["run.stages"] == ["prompt", "intra"]


def test_show_names_the_source(ccafl: Terminal, past: Recorded, drawn_set: Path) -> None:
    first = source(past, drawn_set)
    second = add(ccafl, "--stages", "inter", "--from", str(first)).out.strip()
    assert f"earlier stages are those of run {first}" in ccafl("show", second).out


def test_a_source_is_kept_while_others_start_from_it(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = source(past, drawn_set)
    second = add(ccafl, "--stages", "inter", "--from", str(first)).out.strip()
    answer = ccafl("delete", str(first), "--yes")
    assert answer.code == 1
    assert f"run {second} starts from it" in answer.err
    past.store.cancel(int(second))
    assert ccafl("delete", str(first), second, "--yes").code == 0
    assert past.store.runs() == []
