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
    """Input data is missing, malformed, or too small for what is asked of it."""


class IntegrityError(DataError):
    """Bytes differ from the ones that are pinned."""


class UnsafePickleError(DataError, pickle.UnpicklingError):
    """A pickle asks for a global outside the allow-list."""


class ModelError(DartError, RuntimeError):
    """A model, tokenizer, adapter or classifier cannot be used as asked."""


class ChatError(DartError, RuntimeError):
    """Teacher or judge could not be asked, or did not answer."""


class IncompleteError(ChatError):
    """Some requests of a stage failed; what succeeded is kept, the next run asks for the rest."""
