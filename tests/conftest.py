"""What holds for all tests: small models compute in portable arithmetic, as they do in stages and commands."""

import gc

import pytest

from dart.core.arithmetic import set_environment

set_environment()  # before any test module imports numpy or torch


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave what is loaded by now out of every garbage collection.

    statsmodels collects at each correction over a family, which takes a second where torch and all tests are loaded.
    """
    gc.collect()
    gc.freeze()
