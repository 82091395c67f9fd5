"""Arrays out of files that lie, whose heads are checked before there is room made for them."""

import io
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from fairseq_genext.data.npz import read_array, read_arrays
from fairseq_genext.errors import UsageError

PLAIN = {"images": np.arange(24).reshape(2, 3, 4), "names": np.array(["a", "bc"]), "n": np.array(3)}


def head(shape, descr="|u1", values: bytes = b"") -> bytes:
    """An npy file whose head says what it likes."""
    file = io.BytesIO()
    entries = {"descr": descr, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, entries)
    return file.getvalue() + values


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    return file.getvalue()


LIES = {
    "2**50 values": head((1 << 50,)),
    "2**200 values": head((1 << 100, 1 << 100)),
    "more than there are": head((9,), values=bytes(8)),
    "fewer": head((7,), values=bytes(8)),
    "negative": head((-1, -8), values=bytes(8)),
    "objects": pickled(),
    "structured": head((1,), [("a", "<i4"), ("b", "<i4")], values=bytes(8)),
    "a long text": head((), "<U536870000"),
    "times": head((1,), "<M8[s]", values=bytes(8)),
    "no shape": head("x"),
    "nested": b"\x93NUMPY\x01\x00" + (9000).to_bytes(2, "little") + b"(" * 9000,
    "a long head": b"\x93NUMPY\x02\x00" + b"\xff" * 4,
    "another version": b"\x93NUMPY\x09\x00" + bytes(9),
    "no array": b"text",
    "empty": b"",
}


def test_plain_arrays(tmp_path):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "plain.npz", **PLAIN, order=np.asfortranarray(PLAIN["images"]))
        found = read_arrays(tmp_path / "plain.npz")
        assert list(found) == [*PLAIN, "order"]
        for name, array in PLAIN.items():
            assert np.array_equal(found[name], array)
        assert np.array_equal(found["order"], PLAIN["images"])
    np.save(tmp_path / "plain.npy", PLAIN["images"])
    assert np.array_equal(read_array(tmp_path / "plain.npy"), PLAIN["images"])


@pytest.mark.parametrize("name", LIES)
def test_heads_that_lie(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", LIES[name])
    (tmp_path / "a.npy").write_bytes(LIES[name])
    for read, file in ((read_arrays, "a.npz"), (read_array, "a.npy")):
        refuses(read, tmp_path / file, "cannot be read as np")


def refuses(read, path, says):
    begun = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=says) as error:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 25
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value) and time.process_time() - begun < 1


def test_archives_that_lie(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", head((1 << 28,), values=bytes(1 << 28)))
    refuses(read_arrays, path, "is refused: its [0-9,]+ bytes claim to hold 268,")
    data = bytearray(path.read_bytes())
    claimed = data.rindex(b"PK\x01\x02") + 24  # of the directory, which names the size again
    data[claimed : claimed + 4] = (1 << 20).to_bytes(4, "little")
    path.write_bytes(data)
    refuses(read_arrays, path, "cannot be read as npz")
    for wrong in (b"", b"no zip", data[:-30], data[: len(data) // 2]):
        path.write_bytes(wrong)
        refuses(read_arrays, path, "cannot be read as npz")
    refuses(read_arrays, tmp_path, "cannot be read as npz")
    refuses(read_array, tmp_path / "none.npy", "cannot be read as npy")
