"""Training that ends early leaves no thread behind."""

import threading

import pytest
from fairseq.data.iterators import BackgroundConsumer, BufferedIterator

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.reading_ahead import end_reading_ahead


def reading():
    return [one for one in threading.enumerate() if isinstance(one, BackgroundConsumer)]


def test_what_reads_ahead_ends_with_training():
    def main(read):
        batches = BufferedIterator(3, range(1000))
        assert [next(batches) for _ in range(read)] == [*range(read)] and reading()
        raise UsageError("no")

    for read in (1, 500):
        with pytest.raises(UsageError):
            end_reading_ahead(main, read)
        assert not reading()
