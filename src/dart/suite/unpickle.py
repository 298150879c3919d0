"""Read a pickle of plain lists, strings and integers without running anything that it names.

The suite is published as pickles, and `pickle.load` runs whatever a file asks for. Two of the eight files need numpy
scalars, so exactly two names are admitted (under both module paths that numpy has used), and both are answered by
stand-ins that only decode bytes: numpy itself is never called, and the result holds Python's own `str` and `int`.
Appendix A.1 (the data); no anchor in the method.
"""

from __future__ import annotations

import io
import pickle
import re

from dart.core.errors import DataError, UnsafePickleError

# What the C unpickler raises on bytes that are not a complete pickle, or whose opcodes do not fit together.
_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    MemoryError,
)
_KIND = re.compile(r"([iu][1248]|U[0-9]{1,6})")


class _Dtype:
    """Stand-in for a numpy dtype: an integer or fixed-width text kind, and its byte order."""

    __slots__ = ("big", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.big = False

    def __setstate__(self, state: object) -> None:
        """numpy's state tuple is (version, byte order, ...); only the byte order matters here."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|"):
            raise ValueError("a dtype has an unknown state")
        self.big = state[1] == ">"

    def decode(self, content: bytes) -> str | int:
        width = int(self.kind[1:]) * (4 if self.kind[0] == "U" else 1)
        if len(content) != width:
            raise ValueError(f"a numpy scalar of kind {self.kind} has {len(content)} bytes instead of {width}")
        if self.kind[0] == "U":
            return content.decode("utf-32-be" if self.big else "utf-32-le").rstrip("\0")
        return int.from_bytes(content, "big" if self.big else "little", signed=self.kind[0] == "i")


class _Dtypes:
    """Stand-in for the name `numpy.dtype`. An instance, so that a pickle cannot set attributes on it."""

    __slots__ = ()

    def __call__(self, kind: object, *_: object) -> _Dtype:
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise ValueError(f"a numpy scalar has the kind {kind!r}, which is neither an integer nor text")
        return _Dtype(kind)


class _Scalars:
    """Stand-in for the name `numpy.core.multiarray.scalar`."""

    __slots__ = ()

    def __call__(self, kind: object, content: object) -> str | int:
        if not isinstance(kind, _Dtype) or not isinstance(content, bytes):
            raise ValueError("a numpy scalar is not made of a dtype and bytes")
        return kind.decode(content)


_ADMITTED: dict[tuple[str, str], object] = {
    ("numpy", "dtype"): _Dtypes(),
    ("numpy.core.multiarray", "scalar"): _Scalars(),
    ("numpy._core.multiarray", "scalar"): _Scalars(),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise UnsafePickleError(f"the pickle asks for {module}.{name}") from None


def plain_unpickle(content: bytes, name: str) -> object:
    """Unpickle `content`, admitting no global but the two stand-ins above; `name` is used in messages only.

    It bounds what a pickle can do, not how much memory one can ask for: check the pinned blob id first (`pins.verify`).

    Raises:
        UnsafePickleError: the pickle asks for any other global (named in the message); nothing of it was run.
        DataError: the bytes are truncated, are not a pickle, or have something after its end.
    """
    stream = io.BytesIO(content)
    try:
        value = _PlainUnpickler(stream).load()
    except UnsafePickleError as error:
        raise UnsafePickleError(
            f"{name}: {error}, which is not a plain list, text or number. Nothing of it was run. "
            "Do not use this file; take the one of the pinned commit."
        ) from None
    except _MALFORMED as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name}: not a complete pickle of lists, text and numbers ({type(error).__name__}: {reason}). "
            "Fetch the file again."
        ) from None
    if stream.tell() != len(content):
        raise DataError(
            f"{name}: {len(content) - stream.tell()} bytes follow the end of the pickle. Fetch the file again."
        )
    return value
