"""Every error this project raises on purpose.

A `DartError` is a message for a person: what happened (with the value), where, and what to do next.
`python -m stages` and `dart` print it without a traceback and exit non-zero; anything else is a defect
and keeps its traceback. To add a kind, subclass `DartError` together with the standard-library error
that a caller without knowledge of this project would catch.
"""

from __future__ import annotations

import pickle


class DartError(Exception):
    """Base of all errors with a way out."""


class ParameterError(DartError, ValueError):
    """A parameter is unknown, missing, of the wrong type, or read without being declared."""


class DataError(DartError, ValueError):
    """Input data is missing, malformed, or too small."""


class IntegrityError(DataError):
    """Bytes differ from the pinned ones."""


class UnsafePickleError(DataError, pickle.UnpicklingError):
    """A pickle imports a global outside the allow-list."""


class ModelError(DartError, RuntimeError):
    """A model, tokenizer, adapter or classifier cannot be used."""


class ChatError(DartError, RuntimeError):
    """An endpoint (teacher, judge, student) is unreachable, refuses, or does not answer."""


class IncompleteError(ChatError):
    """Some requests of a stage failed; the others are cached, and the next run repeats only the failed ones."""
