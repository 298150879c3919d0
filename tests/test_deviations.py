"""docs/deviations.md and the `# Deviates from the paper:` marks in the code name the same departures."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(r"Deviates from the paper: ([a-z0-9-]+)")


def test_marks_and_document_agree() -> None:
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py"), ROOT / "params.yaml", ROOT / "dvc.yaml"]
    marked = {name for file in files for name in MARK.findall(file.read_text(encoding="utf-8"))}
    listed = set(re.findall(r"^### ([a-z0-9-]+)$", (ROOT / "docs/deviations.md").read_text(encoding="utf-8"), re.M))
    assert marked == listed
