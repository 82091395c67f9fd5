"""``--bf16`` is for GPUs and CPUs too."""

from fairseq import options, utils

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch


@patch(options, "parse_args_and_arch")
def bf16_without_a_tpu(parse_args_and_arch, *args, **kwargs):
    """fairseq takes ``--bf16`` on the command line for a TPU and asks for the library of those.

    Raises:
        UsageError: there are no TPUs, or two precisions are asked for.
    """
    try:
        parsed = parse_args_and_arch(*args, **kwargs)
    except ValueError as error:
        if str(error).startswith("Cannot combine --fp16"):
            raise UsageError("choose one of --fp16 and --bf16") from None
        raise
    flags = parsed[0] if isinstance(parsed, tuple) else parsed
    if utils.xm is None and flags.tpu:
        if not flags.bf16:
            raise UsageError("--tpu needs the package torch_xla, which is not installed")
        flags.tpu = False
    return parsed
