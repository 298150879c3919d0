"""`dart annotate` from export to the labels that the calibration uses, and what happens when the answers change."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from dart.annotation import labels
from dart.annotation.sample import drawn_pairs
from dart.annotation.sheets import CONSENSUS
from dart.cli.app import main
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import AuditRecord, Generation, Item
from dart.policy import premise_labels
from dart.policy.premise_labels import drawn_prompts
from dart.policy.records import PolicyAnswer, Premise

ROOT = Path(__file__).resolve().parents[2]
COUNT, PAIRS = 60, 40


def answers(variant: str, word: str) -> list[Generation]:
    return [
        Generation(
            item_id=f"N1-EQUAL-{n}", variant=variant, text=f"{word} {n}.", rationale=f"{word} {n}.", prediction="NO",
            new_tokens=3, model="m", revision="r", prompt_hash="h", toxicity=0.5,
        )
        for n in range(COUNT)
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of the right shape, and nothing else."""
    monkeypatch.chdir(tmp_path)
    given = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    given["annotation"]["pairs"] = PAIRS
    (tmp_path / "profiles").mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(given))
    (tmp_path / "profiles/embedded.yaml").write_bytes((ROOT / "profiles/embedded.yaml").read_bytes())
    items = [
        Item(id=f"N1-EQUAL-{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt=f"Q {n}?", scenario=f"{n}")
        for n in range(COUNT)
    ]
    audit = [
        AuditRecord(item_id=item.id, toxicity_base=0.1, toxicity_candidate=0.2, delta=0.001 * n, screened=n % 2 == 0,
                    judgement=None, severity=None)
        for n, item in enumerate(items)
    ]  # fmt: skip
    write_jsonl(tmp_path / "data/suite/test.jsonl", items)
    write_jsonl(tmp_path / "data/audit/base/before/seed-42.jsonl", audit)
    write_jsonl(tmp_path / "data/generations/base/base.jsonl", answers("base", "Fine"))
    write_jsonl(tmp_path / "data/generations/base/distilled/seed-42.jsonl", answers("distilled", "Worse"))
    return tmp_path


def fill(path: Path, severity: str, differ: int = 0) -> None:
    """Answer as someone who finds "Worse" texts harmful, but none in the first `differ` questions by number."""
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    spared = sorted(int(row["question"][2:-1]) for row in rows)[:differ]
    for row in rows:
        side = "1" if row["text_1"].startswith("Worse") else "2"
        harmless = int(row["question"][2:-1]) in spared
        row["more_harmful"], row["severity"] = ("neither", "") if harmless else (side, severity)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def applicable(run: Path) -> list[labels.AnnotatedPair]:
    names = {"base": "base", "distilled": "distilled/seed-42"}
    every = {n: read_jsonl(run / f"data/generations/base/{file}.jsonl", Generation) for n, file in names.items()}
    items = read_jsonl(run / "data/suite/test.jsonl", Item)
    audit = read_jsonl(run / "data/audit/base/before/seed-42.jsonl", AuditRecord)
    shown, records = drawn_pairs(items, audit, every, PAIRS, 42)
    return labels.applicable(run / "data/human/embedded.csv", shown, records)


def test_two_annotators_a_discussion_and_labels_without_texts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", "export", "sheets"]) == 0
    told = capsys.readouterr().out
    assert f"{PAIRS} pairs each" in told
    assert "Content warning" in told
    fill(run / "sheets/annotator_1.csv", "moderate")
    fill(run / "sheets/annotator_2.csv", "moderate", differ=7)

    assert main(["annotate", "import", "sheets"]) == 1
    said = capsys.readouterr()
    assert f"differ on 7 of {PAIRS} pairs" in said.err
    assert f"annotator_2: {PAIRS} of {PAIRS} pairs labelled" in said.out
    assert f"on {PAIRS} pairs: 0." in said.out
    assert not (run / "data/human").exists()
    assert main(["annotate", "import", "sheets"]) == 1, "the discussion has not taken place"
    assert "7 have no common label yet" in " ".join(capsys.readouterr().err.split())
    fill(run / f"sheets/{CONSENSUS}.csv", "mild", differ=2)
    assert main(["annotate", "import", "sheets"]) == 0

    text = (run / "data/human/embedded.csv").read_text(encoding="utf-8")
    assert "Worse" not in text
    found = applicable(run)
    assert len(found) == PAIRS
    counts = {label: sum(pair.consensus == label for pair in found) for label in ("moderate", "mild", None)}
    assert counts == {"moderate": PAIRS - 7, "mild": 5, None: 2}
    assert sum(pair.annotators[0] != pair.annotators[1] for pair in found) == 7


def test_unfinished_sheets_are_accepted_and_what_is_left_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", "export", "sheets"]) == 0
    for name in ("annotator_1", "annotator_2"):
        fill(run / f"sheets/{name}.csv", "severe")
    lines = (run / "sheets/annotator_1.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (run / "sheets/annotator_1.csv").write_text("".join(lines[:26]), encoding="utf-8")
    capsys.readouterr()
    assert main(["annotate", "import", "sheets"]) == 0
    said = capsys.readouterr().out
    assert f"annotator_1: 25 of {PAIRS} pairs labelled, {PAIRS - 25} left" in said
    assert "25 labels, 0 of them after discussion" in said
    assert len(applicable(run)) == 25


def test_three_annotators_on_another_pair_of_variants(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(run / "data/generations/base/repaired/seed-42.jsonl", answers("repaired", "Worse"))
    audit = read_jsonl(run / "data/audit/base/before/seed-42.jsonl", AuditRecord)
    write_jsonl(run / "data/audit/base/after/seed-42.jsonl", audit)
    names = ["ada", "ben", "eve"]
    options = [part for name in names for part in ("--annotator", name)]
    assert main(["annotate", "export", "sheets", *options, "--between", "base", "repaired", "--pairs", "12"]) == 0
    for name in names:
        fill(run / f"sheets/{name}.csv", "mild")
    assert main(["annotate", "import", "sheets"]) == 0
    assert "ben and eve: Cohen's kappa of drift or none, on 12 pairs" in capsys.readouterr().out
    path = run / "data/human/embedded-base-base-repaired.csv"
    assert path.read_text(encoding="utf-8").startswith("item_id,texts,ada,ben,eve,consensus\n")
    assert not (run / "data/human/embedded.csv").exists()
    items = read_jsonl(run / "data/suite/test.jsonl", Item)
    every = {"base": answers("base", "Fine"), "distilled": answers("repaired", "Worse")}
    shown, records = drawn_pairs(items, audit, every, 12, 42)
    assert [pair.annotators for pair in labels.applicable(path, shown, records)] == [("mild",) * 3] * 12


def test_premises_of_prompts_and_who_handles_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy's answers are the "Worse" ones; annotators call every premise harmful and the others' answers good."""
    plain = [answer.model_dump() for answer in answers("repaired", "Worse")]
    under = [PolicyAnswer(**(one | {"variant": "two_pass"}), decision="NO", harmful_premise=True) for one in plain]
    premises = [Premise(item_id=one.item_id, keywords=(), toxicity=0.1, harmful=n < 8) for n, one in enumerate(under)]
    write_jsonl(run / "data/generations/base/repaired/seed-42.jsonl", answers("repaired", "Fine"))
    write_jsonl(run / "data/policy/base/premises.jsonl", premises)
    write_jsonl(run / "data/policy/base/repaired/two_pass.jsonl", under)
    assert main(["annotate", "export", "sheets", "--premises", "--pairs", "20"]) == 0
    page = (run / "sheets/annotator_1.html").read_text(encoding="utf-8")
    assert "Is the question&#39;s premise harmful?" in page or "Is the question's premise harmful?" in page
    assert "two_pass" not in page
    for name in ("annotator_1", "annotator_2"):
        path = run / f"sheets/{name}.csv"
        with path.open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert "more_harmful" not in rows[0]
        for row in rows:
            row["premise"], row["handled_by"] = "harmful", "1" if row["text_1"].startswith("Fine") else "2"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    capsys.readouterr()
    assert main(["annotate", "import", "sheets"]) == 0
    assert "20 labels, 0 of them after discussion" in capsys.readouterr().out
    path = run / "data/human/embedded-base-premises.csv"
    items = read_jsonl(run / "data/suite/test.jsonl", Item)
    drawn = drawn_prompts(items, premises, answers("repaired", "Fine"), under, COUNT, 42)
    found = premise_labels.applicable(path, drawn)
    assert [label.consensus for label in found] == ["off"] * 20
    assert sum(premises[items.index(next(i for i in items if i.id == one.item_id))].harmful for one in found) == 8


@pytest.mark.parametrize("between", [("base", "base"), ("base", "teacher")])
def test_a_pair_of_variants_that_cannot_be_compared(
    run: Path, between: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", "export", "sheets", "--between", *between]) == 1
    assert "a pair is two of base, distilled, repaired, control" in capsys.readouterr().err


def test_sheets_are_never_overwritten(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", "export", "sheets"]) == 0
    (run / "sheets/annotator_1.csv").unlink()
    assert main(["annotate", "export", "sheets"]) == 1
    assert "annotator_2.csv exists" in capsys.readouterr().err
    assert not (run / "sheets/annotator_1.csv").exists()


def test_labels_of_answers_that_are_no_longer_given_are_not_used(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["annotate", "export", "sheets"]) == 0
    for name in ("annotator_1", "annotator_2"):
        fill(run / f"sheets/{name}.csv", "severe")
    assert main(["annotate", "import", "sheets"]) == 0
    changed = answers("distilled", "Worse")
    drawn = {pair.item_id for pair in applicable(run)}
    changed = [
        answer.model_copy(update={"rationale": "Other."}) if answer.item_id in sorted(drawn)[:10] else answer
        for answer in changed
    ]
    write_jsonl(run / "data/generations/base/distilled/seed-42.jsonl", changed)
    assert len(applicable(run)) == PAIRS - 10
    assert "10 labels belong to answers that are not in this run" in caplog.text


def test_without_labels_there_are_none(run: Path) -> None:
    assert applicable(run) == []
