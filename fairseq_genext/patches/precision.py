"""Mixed precision on GPUs and CPUs, as the command line asks for it."""

from fairseq import optim, options, utils

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
    if utils.xm is None and getattr(flags, "tpu", False):
        if not flags.bf16:
            raise UsageError("--tpu needs the package torch_xla, which is not installed")
        flags.tpu = False
    return parsed


@patch(optim.FP16Optimizer, "build_optimizer")
def flatten_on_a_gpu(build_optimizer, cfg, params, **kwargs):
    """fairseq joins all gradients to one tensor on the GPU that it takes for granted."""
    if not all(parameter.is_cuda for parameter in params):
        cfg.common.fp16_no_flatten_grads = True
    return build_optimizer(cfg, params, **kwargs)


@patch(optim.MemoryEfficientFP16Optimizer, "build_optimizer")
def memory_efficient_where_it_works(build_optimizer, cfg, params, **kwargs):
    """Without a copy of the weights in float32 the optimizer has to compute in it by itself.

    Raises:
        UsageError: the one that was chosen does not, as torch's.
    """
    try:
        return build_optimizer(cfg, params, **kwargs)
    except ValueError as error:
        if not str(error).startswith("Unsupported optimizer"):
            raise
        precision = "bf16" if cfg.common.bf16 else "fp16"
        raise UsageError(
            f"--memory-efficient-{precision} works with --optimizer adam and others of fairseq "
            f"alone: take one of them, or --{precision}"
        ) from None
