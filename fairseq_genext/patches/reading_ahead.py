"""Training leaves no thread behind that reads batches ahead."""

import contextlib
import queue
import threading

from fairseq.data.iterators import BackgroundConsumer

from fairseq_genext.patches.patch import patch_command


@patch_command("train", "main")
def end_reading_ahead(main, *args, **kwargs):
    """Python ends such a thread in the middle of torch's code, which then aborts the command."""
    try:
        return main(*args, **kwargs)
    finally:
        for thread in threading.enumerate():
            if isinstance(thread, BackgroundConsumer):
                thread._max_len = 0
                while thread.is_alive():
                    with contextlib.suppress(queue.Empty):
                        thread._queue.get(timeout=0.1)
