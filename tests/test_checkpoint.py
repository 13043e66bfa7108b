import json
import os
from pathlib import Path

import pytest
import torch

from ccafl.checkpoint import link_checkpoint, load_checkpoint, save_checkpoint, save_tensors
from ccafl.errors import CheckpointError

MOMENT = torch.arange(6.0).reshape(2, 3)
CHANCE = torch.Generator().manual_seed(1).get_state()
STATE = {
    "step": 7,
    "best": None,
    "lr": 0.1,
    "adam": {"state": {0: {"exp_avg": MOMENT}, 1: {}}},
    "groups": [{"betas": (0.9, 0.999), "params": [0, 1], "fused": True}],
    "generator": CHANCE,
}


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "7", STATE)
    found = load_checkpoint(tmp_path / "7")
    assert torch.equal(found["adam"]["state"][0]["exp_avg"], MOMENT)
    assert torch.equal(found["generator"], CHANCE)
    assert found["groups"] == [{"betas": [0.9, 0.999], "params": [0, 1], "fused": True}]
    assert (found["step"], found["best"], found["lr"]) == (7, None, 0.1)


def test_tensors_that_share_storage_are_saved(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    save_checkpoint(tmp_path / "1", {"whole": whole, "part": whole[2:]})
    assert load_checkpoint(tmp_path / "1")["part"].tolist() == [2.0, 3.0, 4.0, 5.0]


def test_the_size_is_that_of_the_files(tmp_path: Path) -> None:
    size = save_checkpoint(tmp_path / "1", STATE)
    assert size == sum(path.stat().st_size for path in (tmp_path / "1").iterdir())


def test_a_failed_save_leaves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path / "1", STATE)
    assert not (tmp_path / "1").exists()


def test_a_failed_second_name_leaves_nothing_that_holds_the_checkpoint_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    save_checkpoint(tmp_path / "1", STATE)
    monkeypatch.setattr(Path, "hardlink_to", full_disk)
    with pytest.raises(OSError, match="No space"):
        link_checkpoint(tmp_path / "1", tmp_path / "end")
    assert list(tmp_path.iterdir()) == [tmp_path / "1"]


def test_what_a_kill_left_behind_does_not_disturb_the_next_save(tmp_path: Path) -> None:
    aside = tmp_path / f".1.{os.getpid()}.part"
    aside.mkdir()
    (aside / "tensors.safetensors").write_bytes(b"half")
    save_checkpoint(tmp_path / "1", STATE)
    assert load_checkpoint(tmp_path / "1")["step"] == 7
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "gone", "empty"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str, damage: str) -> None:
    save_checkpoint(tmp_path / "1", STATE)
    path = tmp_path / "1" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(CheckpointError, match="1' is damaged"):
        load_checkpoint(tmp_path / "1")


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "1", STATE)
    path = tmp_path / "1" / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        load_checkpoint(tmp_path / "1")


def test_files_are_private_to_the_user(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "1", STATE)
    save_tensors(tmp_path / "model.safetensors", {"weight": torch.zeros(2)})
    files = [*(tmp_path / "1").iterdir(), tmp_path / "model.safetensors"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "1").stat().st_mode & 0o777 == 0o700
