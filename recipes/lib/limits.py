"""Keeps a computation that a file asks for within bounds."""

import contextlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from fairseq_genext.errors import UsageError

SECONDS = 3  # of processor time
MEMORY = 1 << 29  # bytes, more than there were at the start


@contextlib.contextmanager
def bounded(what: str) -> Iterator[None]:
    """Ends the block when it takes too long or too much memory; for the main thread.

    Args:
        what: names the block's work in the error.

    Raises:
        UsageError: in that case.
    """

    def stop(*_) -> None:
        raise UsageError(f"{what} takes more than {SECONDS} seconds: is an expression too large?")

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + MEMORY
    handler = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    if soft == resource.RLIM_INFINITY or wanted < soft:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    except (MemoryError, OverflowError):
        raise UsageError(f"{what} takes too much memory: is an expression too large?") from None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
