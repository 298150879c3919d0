"""`dart compare` on files from anywhere: the promised JSON, readable text, and every fault of a file by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dart.cli.app import main

GOLD = ["YES", "NO"] * 10


def table(path: Path, predictions: list[str], ids: list[int] | None = None) -> str:
    rows = [f"{i},{GOLD[i]},{predictions[i]},{'D1' if i < 10 else 'N1'}" for i in ids or range(20)]
    path.write_text("\n".join(["id,gold,prediction,benchmark", *rows]) + "\n", encoding="utf-8")
    return str(path)


def test_the_json_holds_what_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = table(tmp_path / "base.csv", ["YES"] * 20)
    other = table(tmp_path / "other.csv", [*GOLD[:15], "", "", "YES", "NO", "YES"])
    out = tmp_path / "result.json"
    assert main(["compare", base, other, "--json", str(out), "--resamples", "200"]) == 0
    output = capsys.readouterr().out
    assert all(word in output for word in ("overall", "DIFF", "EQUAL", "D1", "N1"))
    result = json.loads(out.read_text())
    assert set(result) >= {"overall", "DIFF", "EQUAL", "D1", "N1"}
    for row in ("overall", "DIFF", "EQUAL", "D1", "N1"):
        assert {"n", "accuracy_base", "accuracy_other", "accuracy_difference", "mcnemar", "cohens_g"} <= set(
            result[row]
        )
        assert set(result[row]["mcnemar"]) == {"b", "c", "p_exact", "p_midp", "p_chi2", "p_chi2_corrected"}
        assert set(result[row]["accuracy_difference"]) >= {"estimate", "ci"}
    right = sum(a == b for a, b in zip(GOLD, [*GOLD[:15], "", "", "YES", "NO", "YES"], strict=True))
    assert result["overall"]["accuracy_base"] == 0.5
    assert result["overall"]["accuracy_other"] == right / 20
    assert (result["EQUAL"]["n"], result["EQUAL"]["accuracy_base"]) == (10, 0.0)


def test_moved_pairs_go_to_a_file(tmp_path: Path) -> None:
    for name, factor in (("a", 1), ("b", 3)):
        rows = [{"id": k, "gold": "YES", "prediction": "NO", "toxicity": factor * k / 100} for k in range(20)]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "moved.jsonl"
    sides = [str(tmp_path / name) for name in "ab"]
    assert main(["compare", *sides, "--moved", str(out), "--resamples", "200"]) == 0
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()][:2] == ["19", "18"]


def test_missing_pairs_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = table(tmp_path / "base.csv", ["YES"] * 20)
    other = table(tmp_path / "other.csv", ["YES"] * 20, ids=list(range(17)))
    assert main(["compare", base, other]) == 1
    output = capsys.readouterr().err
    assert "3" in output
    assert all(name in output for name in ("17", "18", "19"))


def test_a_silly_number_of_resamples_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["compare", "a", "b", "--resamples", "5"])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "--resamples" in message
    assert "greater than or equal to 100" in message


def test_no_file_of_the_reader_is_replaced_by_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, other = (table(tmp_path / f"{name}.csv", ["YES"] * 20) for name in ("base", "other"))
    thesis = tmp_path / "results" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("precious", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit):
        main(["compare", base, other, "--resamples", "100", "--json", str(thesis.parent)])
    assert "is a directory" in capsys.readouterr().err
    for name in (thesis, other):
        assert main(["compare", base, other, "--resamples", "100", "--json", str(name)]) == 1
        assert "exists and is no comparison" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    out = tmp_path / "numbers.json"
    for _ in range(2):  # one's own is
        assert main(["compare", base, other, "--resamples", "100", "--json", str(out)]) == 0
