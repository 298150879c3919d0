"""Figures: the same bytes for the same numbers in any process, no dates, at the width of a column."""

from __future__ import annotations

import re
import struct

import pytest

from dart.report.evidence import PaperRun
from dart.report.figures import COLOURS, COLUMN_WIDTH_IN, STYLE, TITLES, figures
from dart.stats.calibration import operating_point

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"}
FORMATS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(scope="module")
def files(run: PaperRun) -> dict[str, bytes]:
    return figures(run)


def test_names(files: dict[str, bytes]) -> None:
    stems = {"figure03_small", "figure03_base", "figure04_small", "figure04_base", "figure05_base"}
    assert set(files) == {f"{stem}.{kind}" for stem in stems for kind in FORMATS}
    assert {stem.split("_")[0] for stem in stems} == TITLES.keys()


def test_figures_are_deterministic_and_clean(run: PaperRun, files: dict[str, bytes]) -> None:
    assert figures(run) == files
    for name, content in files.items():
        assert content.startswith(FORMATS[name[-3:]])
        for trace in (b"Matplotlib", b"dc:date", b"CreationDate", b"Producer"):
            assert trace not in content, f"{name} holds {trace!r}"


def test_figures_are_as_wide_as_a_column(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if name.endswith("png"):
            width = struct.unpack(">I", content[16:20])[0]
            assert width == pytest.approx(COLUMN_WIDTH_IN * STYLE["savefig.dpi"], abs=1)
        if name.endswith("svg"):
            assert re.search(rb'<svg [^>]*width="237.6pt"', content)


def test_colours_are_safe() -> None:
    assert set(COLOURS.values()) <= OKABE_ITO


def test_no_roc_without_annotations(unannotated: PaperRun) -> None:
    assert not any(name.startswith("figure05") for name in figures(unannotated))


def test_operating_point_lies_on_the_curve(run: PaperRun) -> None:
    deltas, drift, weights = run.annotations
    point = operating_point(deltas, drift, 0.01, weights)
    others = [(weight, delta > 0.01) for delta, case, weight in zip(deltas, drift, weights, strict=True) if not case]
    flagged = sum(weight for weight, above in others if above)
    assert point.false_positive_rate == pytest.approx(flagged / sum(weight for weight, _ in others))
    assert sum(weights) == pytest.approx(len(run.items)), "the sample stands for all audited pairs"
