"""Every mutant of `make mutants` still applies: its text stands once in the source, and the tests that it names exist.

A mutant whose text has gone guards nothing, and `make mutants` itself is too slow for every change.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import mutate
from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_mutant_applies_and_is_code(mutant: Mutant, tmp_path: Path) -> None:
    source = tmp_path / mutant.file
    source.parent.mkdir(parents=True)
    assert mutate(mutant, ROOT, tmp_path) is None
    before, after = ((root / mutant.file).read_text(encoding="utf-8") for root in (ROOT, tmp_path))
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before)), "the edit changes no code"


@pytest.mark.parametrize("test", sorted({test for mutant in MUTANTS for test in mutant.tests}))
def test_the_tests_of_a_mutant_exist(test: str) -> None:
    path, _, name = test.partition("::")
    assert (ROOT / path).exists()
    defined = (ROOT / path).read_text(encoding="utf-8") if name else ""
    assert f"def {name}(" in defined or not name


def test_the_names_of_mutants_are_unique() -> None:
    assert not [name for name, count in Counter(mutant.name for mutant in MUTANTS).items() if count > 1]
    assert len(MUTANTS) >= 60
