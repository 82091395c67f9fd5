"""fairseq's commands with the plugin loaded: no ``--user-dir``, and half the time to start.

``genext-train`` is ``fairseq-train --user-dir …/fairseq_genext``, and so on. Imported before
fairseq, the plugin keeps it from importing what is not used; see ``light_fairseq.py``.
"""

import functools
import gc
import importlib
import logging
import sys
from pathlib import Path


def run(command: str) -> None:
    """Runs a command with the arguments of this process.

    Args:
        command: a module of ``fairseq_cli``.
    """
    if not any(word.partition("=")[0] == "--user-dir" for word in sys.argv):
        sys.argv += ["--user-dir", str(Path(__file__).parent)]
    # Nothing that is imported becomes garbage, and looking for it takes a sixth of the time.
    gc.disable()
    importlib.import_module("fairseq_genext.plugin")
    # Each command sets up logging as it is imported, unless fairseq has done so at another level.
    logging.getLogger().handlers.clear()
    module = importlib.import_module(f"fairseq_cli.{command}")
    gc.freeze()
    gc.enable()
    module.cli_main()


train = functools.partial(run, "train")
generate = functools.partial(run, "generate")
interactive = functools.partial(run, "interactive")
validate = functools.partial(run, "validate")
eval_lm = functools.partial(run, "eval_lm")
preprocess = functools.partial(run, "preprocess")
