"""A line of ``--log-file`` is written once."""

import logging
import os

from fairseq.logging import progress_bar

from fairseq_genext.patches.patch import patch


@patch(progress_bar, "progress_bar")
def open_log_once(build, *args, log_file: str | None = None, **kwargs):
    """Every epoch and every validation opens ``--log-file`` again and closes none, so that a line
    of the hundredth epoch is written two hundred times, and long training ends at the system's
    limit of open files.
    """
    if log_file is not None and os.path.abspath(log_file) in {
        handler.baseFilename
        for handler in progress_bar.logger.handlers
        if isinstance(handler, logging.FileHandler)
    }:
        log_file = None
    return build(*args, log_file=log_file, **kwargs)
