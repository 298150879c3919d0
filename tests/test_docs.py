"""What the documentation names exists: links, paths of this project, stages, symbols; pre-commit runs what CI runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dart.core.graph import stages

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "data/README.md", "benchmarks/README.md", "tests/fixtures/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
COMMITTED = "src|stages|docs|tests|benchmarks|profiles|configs|external|ablations"
PATH = re.compile(rf"`((?:{COMMITTED})/[\w./{{}},-]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
NAME = re.compile(r"`(\w+)@(?:S|NAME|SUITE-S)`")


def _alternatives(path: str) -> list[str]:
    """`a/{b,c}.py` as `a/b.py` and `a/c.py`."""
    match = re.search(r"\{([^}]*)\}", path)
    if not match:
        return [path]
    return [
        name
        for part in match[1].split(",")
        for name in _alternatives(path[: match.start()] + part + path[match.end() :])
    ]


def _anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name} links to {link}, which has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_stages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = [name for path in PATH.findall(text) for name in _alternatives(path)]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [name for name in NAME.findall(text) if name not in stages(ROOT)] == []


def test_symbols_of_the_glossary_stand_in_the_module_beside_them() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    pairs = re.findall(r"((?:`\w+`(?:, )?)+) in `(src/[\w/]+\.py)`", glossary)
    assert pairs
    for names, path in pairs:
        source = (ROOT / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^\s*(?:async )?(?:def|class) {name}\b|^{name}\b", source, re.M), f"{path}: no {name}"


def test_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_pre_commit_runs_what_make_lint_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = re.search(r"^lint: .*\n((?:\t.*\n)+)", makefile, re.M)
    assert lint
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    assert [re.sub(r"^env |\.venv/bin/", "", entry) for entry in hooks] == [
        line.strip() for line in lint[1].splitlines()
    ]
