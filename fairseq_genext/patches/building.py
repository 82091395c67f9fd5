"""A task, a model and the like that cannot be built from their flags, in one line."""

from argparse import Namespace
from collections.abc import Callable

from fairseq import optim, options, tasks, utils
from fairseq.tasks import FairseqTask, LegacyFairseqTask
from fairseq.tasks.translation import TranslationTask
from omegaconf.errors import OmegaConfBaseException

from fairseq_genext.errors import UsageError, reason
from fairseq_genext.patches.patch import patch

# What fairseq and its libraries raise of a flag; some flags it evaluates.
UNFIT = (
    AssertionError, LookupError, ValueError, ArithmeticError, NameError, SyntaxError, OSError,
    ImportError, OmegaConfBaseException,
)  # fmt: skip


def built(build: Callable, *args, **kwargs):
    """A task, model, criterion, optimizer, schedule, tokenizer or bpe.

    Raises:
        UsageError: in place of what its constructor raises of a value that it cannot take.
    """
    try:
        return build(*args, **kwargs)
    except UNFIT as error:
        raise UsageError(
            f"a flag of the task, model, criterion, optimizer, schedule of the learning rate, "
            f"tokenizer or bpe does not fit: {reason(error)}"
        ) from error
    except Exception as error:
        if type(error) is not Exception:  # which fairseq raises of flags as well
            raise
        raise UsageError(" ".join(str(error).split())) from error


patch(tasks, "setup_task")(built)
patch(optim, "build_optimizer")(built)
patch(optim.lr_scheduler, "build_lr_scheduler")(built)
# TranslationTask makes the tokenizer of --eval-bleu after the model.
for _task in (FairseqTask, LegacyFairseqTask, TranslationTask):
    patch(_task, "build_model")(built)
for _task in (FairseqTask, LegacyFairseqTask):
    patch(_task, "build_criterion")(built)
for _name in ("build_tokenizer", "build_bpe"):
    patch(FairseqTask, _name)(built)


@patch(utils, "import_user_module")
def require_user_dir(import_user_module, args) -> None:
    """Raises UsageError if there is no folder of that name, or no plugin in it."""
    try:
        import_user_module(args)
    except FileNotFoundError as error:
        raise UsageError(f"--user-dir {error} does not exist") from None
    except ImportError as error:
        raise UsageError(
            f"--user-dir {args.user_dir} cannot be imported: {reason(error)}"
        ) from None


@patch(options, "parse_args_and_arch")
def require_task_and_architecture(parse: Callable, *args, **kwargs) -> Namespace:
    """The parsed flags.

    Raises:
        UsageError: the command has no task by default (fairseq-validate) and is given none, or it
            is given no architecture.
    """
    try:
        return parse(*args, **kwargs)
    except RuntimeError as error:
        if error.args:
            raise
        raise UsageError("--arch is missing: name a model, such as gpt_doc_mini") from None
    except KeyError as error:
        if error.args != (None,):
            raise
        raise UsageError("--task is missing: give the one that the model was trained in") from None
