"""The restricted unpickler: plain data comes out, everything else is refused and nothing of it runs."""

import os
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dart.core.errors import DataError, UnsafePickleError
from dart.suite.unpickle import plain_unpickle


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def _touch(path: Path) -> str:
    return f"{sys.executable} -c \"open(r'{path}', 'w')\""


def _by_name(module: str, name: str, argument: str, protocol: int = 4) -> bytes:
    """A hand-made pickle that calls ``module.name(argument)``; the module need not exist."""
    text = pickle.dumps(argument, protocol)[:-1][2:] if protocol < 4 else b"\x8c" + bytes([len(argument)])
    if protocol < 4:
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + text + b"tR."
    parts = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    return b"\x80\x04" + parts + b"\x93" + b"(" + text + argument.encode() + b"tR."


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_data_comes_out_unchanged(protocol: int) -> None:
    halves = [[["question", 0, "id"], ["q\u00e9", 1, 7]], [["other", 2, -3]]]
    assert plain_unpickle(pickle.dumps(halves, protocol), "x.pkl") == halves


def test_numpy_scalars_come_out_as_plain_python() -> None:
    halves = [[[np.str_("question \u2264 \U0001f600"), np.int64(-5), np.int32(7)]], [[np.str_(""), np.uint8(200), 1]]]
    read = plain_unpickle(pickle.dumps(halves, 4), "x.pkl")
    assert read == [[["question \u2264 \U0001f600", -5, 7]], [["", 200, 1]]]
    assert [type(value) for half in read for item in half for value in item] == [str, int, int] * 2


def test_old_and_new_module_path_of_numpy_read_the_same() -> None:
    new = pickle.dumps([np.int64(3), np.str_("ab")], 3)
    assert b"numpy._core.multiarray" in new, "numpy has moved `scalar` again: admit the new path"
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert plain_unpickle(old, "old") == plain_unpickle(new, "new") == [3, "ab"]


def test_big_endian_scalars_keep_their_value() -> None:
    value = np.array([258], dtype=">i8")
    text = np.array(["ab"], dtype=">U2")
    content = pickle.dumps([Scalar(value), Scalar(text)], 4)
    assert plain_unpickle(content, "x.pkl") == [258, "ab"]


class Scalar:
    """Pickles the first element of an array as numpy pickles a scalar, in the array's own byte order."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __reduce__(self) -> tuple:
        return np._core.multiarray.scalar, (self.array.dtype, self.array.tobytes())


def test_os_system_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    hostile = pickle.dumps(Calls(os.system, _touch(trace)))
    with pytest.raises(UnsafePickleError, match=r"x\.pkl.*(posix|nt)\.system"):
        plain_unpickle(hostile, "x.pkl")
    assert not trace.exists()
    pickle.loads(hostile)
    assert trace.exists(), "the pickle was harmless, so the test above shows nothing"


def test_hostile_object_deep_inside_plain_data_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    halves = [[["question", 0, "id"]] * 3, [["other", 2, {"a": (1, [Calls(subprocess.call, _touch(trace))])}]]]
    with pytest.raises(UnsafePickleError, match=r"subprocess\.call"):
        plain_unpickle(pickle.dumps(halves), "x.pkl")
    assert not trace.exists()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("numpy", "fromfile"),
        ("numpy", "load"),
        ("numpy", "memmap"),
        ("numpy", "dtype.type"),
        ("numpy.core.multiarray", "scalar.__class__"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.ctypeslib", "load_library"),
        ("dart.suite.unpickle", "_Dtype"),
        ("no_such_module", "thing"),
    ],
)
def test_every_other_global_is_refused_by_name(module: str, name: str, protocol: int) -> None:
    with pytest.raises(UnsafePickleError) as caught:
        plain_unpickle(_by_name(module, name, "x", protocol), "x.pkl")
    assert f"{module}.{name}" in str(caught.value)
    assert isinstance(caught.value, pickle.UnpicklingError)


def test_numpy_arrays_are_refused() -> None:
    with pytest.raises(UnsafePickleError, match="_reconstruct"):
        plain_unpickle(pickle.dumps(np.arange(3), 4), "x.pkl")


@pytest.mark.parametrize("kind", ["O", "V8", "f8", "i8,i8", "U99999999", "M8[s]", "", "i3"])
def test_dtypes_beyond_integers_and_text_are_refused(kind: str) -> None:
    with pytest.raises(DataError, match="neither an integer nor text"):
        plain_unpickle(_by_name("numpy", "dtype", kind), "x.pkl")


def test_object_scalar_that_smuggles_a_call_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    hostile = pickle.dumps(Calls(np._core.multiarray.scalar, np.dtype("O"), Calls(os.system, _touch(trace))), 4)
    with pytest.raises(DataError):
        plain_unpickle(hostile, "x.pkl")
    assert not trace.exists()


def test_scalar_whose_bytes_do_not_fit_its_kind_is_refused() -> None:
    content = pickle.dumps(np.int64(1), 3).replace(b"C\x08" + (1).to_bytes(8, "little"), b"C\x04" + bytes(4))
    with pytest.raises(DataError, match="4 bytes instead of 8"):
        plain_unpickle(content, "x.pkl")


def test_a_pickle_cannot_change_the_stand_ins() -> None:
    build = b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93}\x8c\x04kind\x8c\x02U1sb."
    with pytest.raises(DataError):
        plain_unpickle(build, "x.pkl")
    assert plain_unpickle(pickle.dumps(np.int64(9), 4), "x.pkl") == 9


def test_every_truncation_is_a_clear_error() -> None:
    content = pickle.dumps([[[np.str_("question"), np.int64(1), "id"]], [["other", 2, 5]]], 4)
    for length in range(len(content)):
        with pytest.raises(DataError, match=r"x\.pkl: not a complete pickle"):
            plain_unpickle(content[:length], "x.pkl")


@pytest.mark.parametrize(
    "content",
    [
        b"not a pickle",
        b"\x80\xff.",
        b"\x80\x04\x82\x01.",  # extension registry
        b"\x80\x04\x8c\x01aQ.",  # persistent id
        b"\x80\x04\x8c\x02\xff\xfe.",  # text that is not UTF-8
        b"\x80\x04}]K\x01s.",  # a list as key of a dict
        b"<!DOCTYPE html><html></html>",
    ],
)
def test_garbage_is_a_clear_error(content: bytes) -> None:
    with pytest.raises(DataError, match=r"x\.pkl: not a complete pickle.*Fetch the file again"):
        plain_unpickle(content, "x.pkl")


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(DataError, match="5 bytes follow"):
        plain_unpickle(pickle.dumps([1], 4) + b"extra", "x.pkl")


def test_the_hand_made_pickles_are_well_formed() -> None:
    for protocol in (2, 4):
        names = [op.name for op, _, _ in pickletools.genops(_by_name("numpy", "dtype", "i8", protocol))]
        assert names[-2:] == ["REDUCE", "STOP"]
    plain_unpickle(_by_name("numpy", "dtype", "i8"), "x.pkl")
