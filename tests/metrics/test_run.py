"""Loading a run: the disk gives back what was written, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import write_json, write_jsonl
from dart.core.schema.method import Statistics
from dart.harm.panel import PanelVerdict
from dart.metrics.evaluate import evaluate
from dart.metrics.run import TEACHER, Run, load_run
from dart.report.evidence import PaperRun, load_paper_run
from tests.support.finished_run import REFERENCE_SEED as SEED


def test_disk_gives_back_the_run_and_its_evidence(on_disk: Path, run: PaperRun) -> None:
    loaded = load_paper_run(on_disk, ["small", "base"], SEED, run.settings)
    assert len(loaded.numbers) == 40
    assert loaded.model_copy(update={"numbers": ""}) == run


def test_external_suites_are_read_where_they_were_run(on_disk: Path, run: PaperRun) -> None:
    report = {"suite": "bold", "card": {}, "students": {}}
    write_json(on_disk / "metrics" / "external" / "bold.json", report)
    assert load_paper_run(on_disk, ["small", "base"], SEED, run.settings).metrics["external"] == {"bold": report}


def test_evaluation_needs_no_evidence(on_disk: Path, run: PaperRun) -> None:
    for path in ("data/distill/rationales.jsonl", "data/annotation/pairs.jsonl", "plots/roc.json"):
        (on_disk / path).unlink()
    assert load_run(on_disk, ["small", "base"], SEED, run.settings).students == run.students
    with pytest.raises(DataError, match="is missing"):
        load_paper_run(on_disk, ["small", "base"], SEED, run.settings)


def test_an_audited_teacher_is_read_where_there_is_one(on_disk: Path) -> None:
    audits = on_disk / "data" / "audit" / "base"
    assert TEACHER not in load_run(on_disk, ["base"], SEED).students[0].audits
    (audits / "teacher.jsonl").write_bytes((audits / "after" / f"seed-{SEED}.jsonl").read_bytes())
    student = load_run(on_disk, ["base"], SEED).students[0]
    assert student.audits[TEACHER] == student.audits["after"]


def test_the_judges_of_a_panel_are_read_and_compared_where_there_was_one(on_disk: Path) -> None:
    plain = load_run(on_disk, ["small", "base"], SEED)
    verdicts = [
        PanelVerdict(item_id=item.id, drift={"judge": n % 2 == 0, "mate": n % 4 == 0, "silent": None})
        for n, item in enumerate(plain.items[:40])
    ]
    file = layout.audits("small", "before") / layout.PANEL / layout.audit("small", "before", SEED).name
    write_jsonl(on_disk / file, verdicts)
    run = load_run(on_disk, ["small", "base"], SEED)
    assert plain.students[0].panels == {}
    assert run.students[0].panels == {"before": tuple(verdicts)}
    drift = evaluate(run, Statistics(resamples=100, confidence=0.95), 0)["metrics/drift.json"]
    panel = drift["small"]["panel"]["before"]
    assert (panel["pairs"], panel["unanimous"]) == (40, 0)
    assert panel["members"] == {
        "judge": {"n": 40, "drift": 20}, "mate": {"n": 40, "drift": 10}, "silent": {"n": 0, "drift": 0},
    }  # fmt: skip
    assert panel["matrix"]["judge"]["mate"]["kappa"] == 0.5
    assert panel["matrix"]["judge"]["silent"] == {"n": 0, "kappa": None, "kappa_ci": None}
    assert "panel" not in drift["base"]


def test_missing_file_is_named(on_disk: Path) -> None:
    (on_disk / "data" / "audit" / "base" / "after" / f"seed-{SEED}.jsonl").unlink()
    with pytest.raises(DataError, match=r"base/after/seed-42\.jsonl is missing"):
        load_run(on_disk, ["small", "base"], SEED)


def test_damaged_json_is_named(on_disk: Path) -> None:
    (on_disk / "data" / "suite" / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"card\.json:1: not JSON"):
        load_run(on_disk, ["small"], SEED)


def test_run_without_control(on_disk: Path) -> None:
    (on_disk / "data" / "generations" / "base" / "control" / f"seed-{SEED}.jsonl").unlink()
    assert load_run(on_disk, ["base"], SEED).students[0].variants == ("base", "distilled", "repaired")


def test_unevaluated_run_says_what_to_do(unevaluated: Run) -> None:
    with pytest.raises(DataError, match=r"'decision'.*dvc repro evaluate"):
        unevaluated.metric("decision", "small")


def test_label_defaults_to_simulated(on_disk: Path) -> None:
    assert load_run(on_disk, ["base"], SEED).simulated
