"""Which checkpoint training goes on from, and what is said where there is none."""

import fcntl
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.data import ListDataset
from fairseq.data.iterators import EpochBatchIterator
from fairseq.dataclass.configs import CheckpointConfig

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError

TRAINER = SimpleNamespace(
    data_parallel_world_size=1,
    checkpoint_suffix="",
    cfg=SimpleNamespace(distributed_training=SimpleNamespace(zero_sharding="none")),
)


def save(path: Path, updates: int) -> Path:
    torch.save({"optimizer_history": [{"num_updates": updates}], "x": torch.ones(999)}, path)
    return path


def damage(path: Path) -> Path:
    """One bit is another: the file is as long as before, and torch would load it."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    return path


class LoadedError(Exception):
    """Carries the file that fairseq would load."""


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """What training in ``tmp_path`` with some flags goes on from."""

    def load(path, *args, **kwargs):
        raise LoadedError(Path(path).name)

    def choose(**flags):
        trainer = SimpleNamespace(**vars(TRAINER), load_checkpoint=load)
        cfg = CheckpointConfig(save_dir=str(tmp_path), **flags)
        with pytest.raises(LoadedError) as loaded:
            checkpoint_utils.load_checkpoint(cfg, trainer)
        return str(loaded.value)

    return choose


def test_the_newest_good_one(tmp_path, chosen, caplog):
    last = save(tmp_path / "checkpoint_last.pt", 9)
    for name, updates in {"1": 4, "2": 8, "_best": 6, "_3_9-shard0": 9, "_1_2": 2}.items():
        save(tmp_path / f"checkpoint{name}.pt", updates)
    assert chosen() == "checkpoint_last.pt" and not caplog.messages
    damage(last)
    assert chosen() == "checkpoint2.pt" and "is damaged" in caplog.messages[-1]
    assert not last.exists() and (tmp_path / "checkpoint_last.pt.broken").exists()
    damage(tmp_path / "checkpoint2.pt")
    assert chosen() == "checkpoint_best.pt" and "does not exist" in caplog.messages[-1]
    assert chosen(finetune_from_model="other.pt") == "checkpoint_best.pt"


def test_no_last_checkpoints(tmp_path, chosen):
    """One of that name is older than the flag."""
    save(tmp_path / "checkpoint_last.pt", 3)
    save(tmp_path / "checkpoint2.pt", 8)
    assert chosen(no_last_checkpoints=True) == "checkpoint2.pt"


def test_never_anew_in_silence(tmp_path, chosen):
    assert chosen() == "checkpoint_last.pt"  # an empty folder: fairseq says that there is none
    for flags, line in {
        ("restore_file",): "--restore-file {} does not exist",
        ("finetune_from_model",): "--finetune-from-model {} does not exist",
        ("finetune_from_model", "restore_file"): "exclude each other",
    }.items():
        with pytest.raises(UsageError, match=line.format("nowhere.pt")):
            chosen(**dict.fromkeys(flags, "nowhere.pt"))
    with pytest.raises(UsageError, match="omit --reset-meters"):
        chosen(finetune_from_model="nowhere.pt", reset_meters=True)
    (tmp_path / "checkpoint1.pt").write_text("half")
    (tmp_path / "checkpoint_last.pt").mkdir()
    with pytest.raises(UsageError, match="none of the 2 checkpoints"):
        chosen()
    assert (tmp_path / "checkpoint_last.pt").exists()


def test_two_trainings_in_one_folder(tmp_path, chosen):
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    part = tmp_path / "checkpoint1.pt.tmp"  # the other one is writing it
    part.touch()
    with pytest.raises(UsageError, match="another training is running"):
        chosen()
    chosen(no_save=True)
    assert part.exists()
    os.close(folder)
    assert chosen() == chosen() == "checkpoint_last.pt"  # one after the other in one process


def test_a_checkpoint_of_another_folder_begins_a_training_once(tmp_path, chosen):
    """Run again after a kill, it would begin there again and write over what it had made."""
    other = tmp_path / "other"
    other.mkdir()
    save(other / "x.pt", 3)
    assert chosen(restore_file=str(other / "x.pt")) == "x.pt"
    save(tmp_path / "checkpoint_last.pt", 9)
    save(tmp_path / "checkpoint2.pt", 8)
    with pytest.raises(UsageError, match="to go on with it omit --restore-file"):
        chosen(restore_file=str(other / "x.pt"))
    assert chosen(restore_file=str(tmp_path / "checkpoint2.pt")) == "checkpoint2.pt"  # back to it


@pytest.mark.parametrize(("size", "seed", "warned"), [(2, 1, False), (3, 1, True), (2, 5, True)])
def test_an_epoch_of_other_batches_is_said(caplog, size, seed, warned):
    """Which of its sentences were read is not known then."""

    def iterator(size, seed):
        dataset = ListDataset(torch.arange(24))
        return EpochBatchIterator(
            dataset, torch.stack, torch.arange(24).view(-1, size).tolist(), seed=seed
        )

    first = iterator(2, 1)
    next(first.next_epoch_itr())
    second = iterator(size, seed)
    second.load_state_dict(first.state_dict())
    second.next_epoch_itr()
    assert ("epoch 1 had 12 batches and seed 1" in caplog.text) == warned


@pytest.mark.parametrize("save_dir", ["file", "file/below", "/proc/nowhere"])
def test_nowhere_to_save(tmp_path, save_dir):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        checkpoint_utils.verify_checkpoint_directory(str(tmp_path / save_dir))


def test_a_wrong_object_is_no_full_disk(tmp_path):
    with pytest.raises(Exception, match="pickle"):
        checkpoint_utils.torch_persistent_save({"x": lambda: 0}, str(tmp_path / "x.pt"))
    assert not list(tmp_path.iterdir())
