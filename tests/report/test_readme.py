"""README.md says what metrics/ say: its results are generated, and nothing else in it is a measured number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dart.core.errors import DataError
from dart.core.files import read_json, write_json
from dart.report.readme import BEGIN, END, renewed, results_block

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNITS = r"s|min|minutes?|seconds?|h|hours?|days?|USD|\$|€|%|points?|calls?|answers|tests|tables|cases|MB|GB|MiB|GiB|x|×"
MEASURED = re.compile(rf"(?<![\w.-])\d[\d,.]*\s?(?:{UNITS})(?!\w)|(?<![\w.])0?\.\d+")


def _hand_written() -> str:
    text = README[: README.index(BEGIN)] + README[README.index(END) :]
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def test_results_are_those_of_the_committed_metrics() -> None:
    block = README[README.index(BEGIN) : README.index(END) + len(END)]
    assert block == results_block(ROOT), "renew it with `dart readme`"


def test_nobody_types_a_measured_number() -> None:
    assert MEASURED.findall(_hand_written()) == []


@pytest.mark.parametrize("text", ["42 min", "about 13,000 answers", "370 USD", "0.763", "5 % of", "in 3 s,", "24 MB"])
def test_the_pattern_sees_measured_numbers(text: str) -> None:
    assert MEASURED.search(text)


@pytest.mark.parametrize("text", ["Python 3.11", "Llama-3-8B", "2 CPU cores", "Figure 3 of", "ACL 2026", "x86-64"])
def test_the_pattern_passes_over_names(text: str) -> None:
    assert not MEASURED.search(text)


def test_the_block_follows_the_metrics(tmp_path: Path) -> None:
    for name in ("headline", "cost", "coverage", "recipes"):
        write_json(tmp_path / f"metrics/{name}.json", read_json(ROOT / f"metrics/{name}.json", dict))
    assert results_block(tmp_path) == results_block(ROOT)
    recipe = {"true_net": {"mean": 0.98}, "accuracy": {"n": 5}, "better_than_control": {"n": 5, "true": 4}}
    validation = {"control": {**recipe, "true_net": {"mean": -0.02}}, "repaired": recipe, "own": recipe}
    write_json(
        tmp_path / "metrics/recipes.json",
        {"students": {"mine": {"splits": {"validation": validation}, "chosen": "own"}}},
    )
    leaves = {"n": 7, "accuracy": 0.123, "accuracy_gain": -0.25, "drift_rate_before": 0.125, "drift_rate_after": 0.03}
    write_json(tmp_path / "metrics/headline.json", {"mine": leaves})
    block = results_block(tmp_path)
    for text in (
        "| mine |",
        "| 7, – |",
        "| 0.123 (−0.250) |",
        "| 12.5 % → 3.0 % |",
        "| – → – |",
        "5 training seeds",
        "| −2 %, 98 %, 98 % (`own`, better in 4 of 5) |",
    ):
        assert text in block


def test_a_page_without_markers_is_named() -> None:
    assert renewed(f"a\n{BEGIN}\nold\n{END}\nb", f"{BEGIN}\nnew\n{END}") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(DataError, match="has no block between"):
        renewed("a\nb", "new")
