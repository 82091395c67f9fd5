"""A command does not look for garbage among what it has imported, again and again and at its end.

That is a million objects, and takes a tenth of the processor time of a short command.
"""

import gc
import sys

from fairseq import utils

from fairseq_genext.patches.patch import patch


@patch(utils, "import_user_module")
def leave_what_is_imported(import_user_module, *args, **kwargs) -> None:
    """Every command calls this when all is imported. A program's own objects are left alone."""
    import_user_module(*args, **kwargs)
    if "fairseq_cli" in sys.modules:
        gc.freeze()
