"""What fairseq-train makes of its flags, in this process and without training."""

from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

import fairseq_genext.plugin  # noqa: F401  as --user-dir does


def parsed(*argv):
    """The configuration of a command line."""
    parser = options.get_training_parser()
    arguments = [str(argument) for argument in argv]
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))


def built(*argv):
    """The model of a command line, as initialised."""
    config = parsed(*argv)
    return tasks.setup_task(config.task).build_model(config.model)
