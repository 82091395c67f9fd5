"""Training goes on from the newest good checkpoint, and never starts anew without a word."""

import contextlib
import fcntl
import logging
import os
import re
import zipfile
from collections.abc import Iterator

import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from fairseq_genext.errors import UsageError, flag
from fairseq_genext.patches.patch import patch
from fairseq_genext.patches.saving import remove_parts

logger = logging.getLogger(__name__)

LAST = "checkpoint_last.pt"  # fairseq's default of --restore-file, a name in --save-dir
RESETS = ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")


def _is_whole(path: str) -> bool:
    """Whether every byte is as it was written: torch's files are zip archives with checksums."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        torch.load(path, map_location="cpu", weights_only=True)  # the form before torch 1.6
        return True
    except Exception:  # whatever a damaged file makes of its reader
        return False


def _updates(path: str) -> int:
    """Updates of a checkpoint, without reading its tensors; -1 if it is none."""
    try:
        mapped = zipfile.is_zipfile(path)
        state = torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)
        return state["optimizer_history"][-1]["num_updates"]
    except Exception:
        return -1


def _checkpoints(folder: str, suffix: str) -> list[str]:
    """Paths of the checkpoints that fairseq has written to a folder, by any of its names."""
    names = (
        r"checkpoint(\d+|_\d+_\d+|_best|_last|\.best_.+_-?\d+\.\d+)" + re.escape(suffix) + r"\.pt"
    )
    found = os.listdir(folder) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in found if re.fullmatch(names, name)]


class _Claim:
    """The folder that this process saves to, open and locked as long as it trains."""

    folder: int | None = None


def _let_go() -> None:
    if _Claim.folder is not None:
        os.close(_Claim.folder)
        _Claim.folder = None


# Workers that load data would hold it for seconds after a kill.
os.register_at_fork(after_in_child=_let_go)


def _claim(folder: str) -> None:
    """Two trainings would write over each other's checkpoints. The system ends the claim with the
    process, however that ends.

    Raises:
        UsageError: another process trains there.
    """
    _let_go()
    with contextlib.suppress(FileNotFoundError):
        _Claim.folder = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(_Claim.folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another training is running in {folder}: wait for its end, or name another "
                "--save-dir"
            ) from None
        except OSError as error:  # a file system without locks
            logger.debug(f"{folder} cannot be locked: {error}")


def _is_in(path: str, folder: str) -> bool:
    return os.path.dirname(os.path.realpath(path)) == os.path.realpath(folder)


def _choose(cfg, suffix: str) -> str | None:
    """The checkpoint to go on from, if it is not the one that the flags say.

    A last checkpoint that is not whole is set aside, once another is found.

    Raises:
        UsageError: a file that a flag names does not exist; flags exclude each other; a training
            that began from another folder's checkpoint would begin there again; none of the
            folder's checkpoints can be read.
    """
    if cfg.finetune_from_model is not None:
        for name in RESETS:
            if getattr(cfg, name):
                raise UsageError(f"--finetune-from-model is enough: omit {flag(name)}")
        if cfg.restore_file != LAST:
            raise UsageError("--finetune-from-model and --restore-file exclude each other")
    if cfg.restore_file != LAST:
        path = cfg.restore_file.replace(".pt", suffix + ".pt")
        if not PathManager.exists(path):
            raise UsageError(f"--restore-file {path} does not exist")
        own = _checkpoints(cfg.save_dir, suffix)
        if own and not _is_in(path, cfg.save_dir):
            raise UsageError(
                f"--restore-file {path} would write over the training that is in {cfg.save_dir}: "
                "to go on with it omit --restore-file and what resets, or name another --save-dir"
            )
        return None
    last = os.path.join(cfg.save_dir, f"checkpoint_last{suffix}.pt")
    there = os.path.lexists(last)
    # With --no-last-checkpoints one of that name is from before the flag.
    if there and not cfg.no_last_checkpoints and _is_whole(last):
        return None
    found = _checkpoints(cfg.save_dir, suffix)
    if not found:
        for name in ("finetune_from_model", "continue_once"):
            path = getattr(cfg, name)
            if path is not None and not PathManager.exists(path):
                raise UsageError(f"{flag(name)} {path} does not exist")
        return None
    newest = max(filter(_is_whole, found), key=_updates, default=None)
    if newest is None or _updates(newest) < 0:
        raise UsageError(
            f"none of the {len(found)} checkpoints in {cfg.save_dir} can be read: remove them to "
            "train from the start, or name another --save-dir"
        )
    if there and not cfg.no_last_checkpoints:
        os.replace(last, f"{last}.broken")
        logger.warning(f"{last} is damaged and now {last}.broken; training goes on from {newest}")
    elif newest != last:
        logger.warning(f"{last} does not exist; training goes on from {newest}")
    return newest.removesuffix(f"{suffix}.pt") + ".pt"


def on_master(trainer, choose):
    """What ``choose`` returns in the first process, in all; the others end if it raises."""
    if trainer.data_parallel_world_size == 1:
        return choose()
    said: list = [None, None]
    error = None
    if trainer.is_data_parallel_master:
        try:
            said[0] = choose()
        except UsageError as raised:
            error, said[1] = raised, str(raised)
    torch.distributed.broadcast_object_list(
        said, src=0, group=trainer.data_parallel_process_group, device=trainer.device
    )
    if said[1] is not None:
        raise error or SystemExit(1)
    return said[0]


@contextlib.contextmanager
def _with_flags(cfg, **flags) -> Iterator[None]:
    before = {name: getattr(cfg, name) for name in flags}
    try:
        for name, value in flags.items():
            setattr(cfg, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(cfg, name, value)


@patch(checkpoint_utils, "load_checkpoint")
def go_on_from_the_newest_good_one(load, cfg, trainer, **kwargs):
    """fairseq tries ``checkpoint_last.pt`` alone: one that is missing starts training from zero in
    silence, and one that is half a file ends in a traceback with good ones next to it.

    Raises:
        UsageError: see ``_claim`` and ``_choose``.
    """

    def choose():
        if not cfg.no_save:
            _claim(cfg.save_dir)
            remove_parts(cfg.save_dir)
        return _choose(cfg, trainer.checkpoint_suffix)

    newest = on_master(trainer, choose)
    flags = {}
    if newest is not None:
        flags = {"restore_file": newest, "finetune_from_model": None, "continue_once": None}
    sharded = trainer.cfg.distributed_training.zero_sharding == "os"
    if trainer.data_parallel_world_size > 1 and not sharded:
        # Every process reads the file. Sent from one to the others, the checkpoint's configuration
        # is an object, which weights-only loading refuses.
        flags["load_checkpoint_on_all_dp_ranks"] = True
    with _with_flags(cfg, **flags):
        return load(cfg, trainer, **kwargs)
