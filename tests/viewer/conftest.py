"""The finished run's samples as a viewer on disk, and a browser to read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dart.core.records import Severity
from dart.metrics.run import Run
from dart.viewer.archive import archive
from dart.viewer.page import viewer_html
from dart.viewer.samples import Samples
from tests.support.browser import chromium, tab
from tests.support.finished_run import REFERENCE_SEED, truth, unevaluated
from tests.support.samples import samples_of

__all__ = ["chromium", "samples", "tab", "truth", "unevaluated", "viewer"]


class Page(NamedTuple):
    """A page on disk, and the run behind it."""

    path: Path
    run: Run


@pytest.fixture(scope="session")
def samples(unevaluated: Run) -> Samples:
    return samples_of(unevaluated)


@pytest.fixture(scope="session")
def viewer(
    unevaluated: Run,
    samples: Samples,
    truth: dict[str, dict[str, dict[str, Severity]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Page:
    known: Any = {REFERENCE_SEED: truth}
    path = tmp_path_factory.mktemp("viewer") / "viewer.html"
    path.write_text(viewer_html([archive(samples, known)]), encoding="utf-8")
    return Page(path, unevaluated)
