"""`dart verify`: same bytes, within training seeds, or not reproduced; and an exchange through a DVC remote."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from dart.cli.repro import reproduce
from dart.cli.verify import report
from dart.cli.verify import verify as command
from dart.core.errors import DataError
from dart.metrics.verification import Spread, compare_numbers, largest_difference, seed_spreads, verify
from tests.support.toy_repo import STAGES, call, commit, dvc, toy_repo

pytestmark = pytest.mark.slow

SEEDS = {"students": {"small": {"quantities": {"headline": {
    "accuracy": {"mean": 0.75, "sd": 0.02, "n": 4, "points": {"0": 0.77, "1": 0.74, "2": 0.73, "42": 0.76}},
    "drift_rate_after": {"mean": 0.2, "sd": 0.05, "n": 4, "points": {"0": 0.24, "1": 0.2, "2": 0.2, "42": 0.12}},
}}}}}  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose run is committed, with a remote that holds its outs."""
    folder = tmp_path_factory.mktemp("published")
    toy = toy_repo(folder / "toy")
    dvc(toy, "repro")
    (toy / "metrics/seeds.json").write_text(json.dumps(SEEDS), encoding="utf-8")
    dvc(toy, "remote", "add", "--default", "storage", str(folder / "remote"))
    commit(toy, "run")
    dvc(toy, "push")
    return toy


@pytest.fixture
def toy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "toy"))


def change(file: Path, student: str, **leaves: float) -> None:
    """Plant other numbers in a headline file."""
    contents = json.loads(file.read_text(encoding="utf-8"))
    contents[student].update(leaves)
    file.write_text(json.dumps(contents, indent=2), encoding="utf-8")


def run_elsewhere(toy: Path, **shifts: float) -> None:
    """Let the working tree look like a complete run with other arithmetic: other bytes, numbers shifted."""
    (toy / "data/adapters/small/out.txt").write_text("other arithmetic", encoding="utf-8")
    headline = toy / "metrics/headline.json"
    before = json.loads(headline.read_text(encoding="utf-8"))["small"]
    change(headline, "small", **{leaf: before[leaf] + shift for leaf, shift in shifts.items()})
    dvc(toy, "commit", "--force")


def test_the_committed_run_has_the_same_bytes(published: Path) -> None:
    result = verify(published)
    assert result.reproduced
    assert result.same_bytes
    assert not result.stale
    assert result.verdict.startswith("reproduced: same bytes as ")
    assert result.verdict.endswith(f"in {STAGES} of {STAGES} stages")
    assert {number.state for number in result.numbers.values()} == {"same"}
    assert len(result.numbers) == 8


def test_one_changed_number_fails(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(toy / "metrics/headline.json", "base", accuracy=0.99)
    monkeypatch.chdir(toy)
    with pytest.raises(typer.Exit) as exit_:
        command(json=Path("verify.json"))
    assert exit_.value.exit_code == 1
    lines = capsys.readouterr().out.splitlines()
    assert "evaluate  differs: metrics/headline.json" in lines
    assert f"same bytes: {STAGES - 1} of {STAGES} stages" in lines
    assert next(line for line in lines if line.startswith("base.accuracy")).split()[2:] == ["0.99", "?", "unknown"]
    assert lines[-1].startswith("not reproduced: outs of evaluate were changed after the run")
    written: dict[str, Any] = json.loads(Path("verify.json").read_text(encoding="utf-8"))
    assert written["reproduced"] is False
    assert written["verdict"] == lines[-1]
    assert written["stages"]["evaluate"]["outs"] == ["metrics/headline.json"]
    assert written["numbers"]["base.accuracy"]["this_run"] == 0.99


def test_of_many_different_stages_the_first_are_listed(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dart.cli.verify.SHOWN", 2)
    for name in ("light", "heavy", "uniform"):
        (toy / f"data/arms/{name}/out.txt").write_text("other arithmetic", encoding="utf-8")
    lines = report(verify(toy))
    assert "... and 1 more stages; --json FILE lists all" in lines
    assert sum("differs" in line for line in lines) == 2


def test_a_changed_number_that_is_committed_without_a_run_fails(toy: Path) -> None:
    change(toy / "metrics/headline.json", "small", accuracy=0.99)
    commit(toy, "too good")
    result = verify(toy)
    assert not result.reproduced
    assert result.stages["evaluate"].state == "differs"
    assert "outs of evaluate were changed after the run" in result.verdict
    assert verify(toy, "HEAD~1").numbers["small.accuracy"].state == "outside"


def test_other_bytes_within_the_seeds_are_a_reproduction(toy: Path) -> None:
    run_elsewhere(toy, accuracy=0.04, drift_rate_after=-0.1)
    result = verify(toy)
    assert not result.same_bytes
    assert result.stages["train@small"].outs == ("data/adapters/small",)
    assert {result.numbers[f"small.{leaf}"].state for leaf in ("accuracy", "drift_rate_after")} == {"within"}
    assert result.reproduced
    assert result.verdict.startswith("reproduced within training seeds: 8 of 8 headline numbers")
    assert "within" in "\n".join(report(result))


def test_other_bytes_and_a_number_beyond_the_seeds_are_none(toy: Path) -> None:
    run_elsewhere(toy, diff_accuracy=0.01)
    assert "1 of 8 headline numbers differ, and how far seeds move them is not measured" in verify(toy).verdict
    run_elsewhere(toy, accuracy=0.3)
    result = verify(toy)
    assert result.numbers["small.accuracy"].state == "outside"
    assert not result.reproduced
    assert "1 of 8 headline numbers differ by more than training seeds make" in result.verdict


def test_an_out_that_is_not_here_is_missing(toy: Path) -> None:
    shutil.rmtree(toy / "data/arms/light")
    result = verify(toy)
    assert result.stages["ablations/dvc.yaml:arm@light"].state == "missing"
    assert not result.reproduced
    assert "1 stages have no outs here; run `dart repro` or `dvc pull`" in result.verdict


@pytest.mark.slow
def test_another_experiment_is_no_reproduction(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = toy / "params.yaml"
    params.write_text(params.read_text().replace("heavy: 3", "heavy: 4"))
    assert "ablations/dvc.yaml:arm@heavy not up to date; run `dart repro`" in verify(toy).verdict
    dvc(toy, "commit", "--force")
    result = verify(toy)
    assert result.different_settings == ["ablations/dvc.yaml:arm@heavy"]
    assert not result.reproduced
    assert result.verdict.startswith("another run than ")
    assert "other parameters or commands in ablations/dvc.yaml:arm@heavy; " in result.verdict
    monkeypatch.chdir(toy)
    command(no_fail=True)  # as `make repro` ends: a verdict, and no failed recipe
    assert capsys.readouterr().out.splitlines()[-1] == result.verdict
    with pytest.raises(typer.Exit):
        command()


@pytest.mark.slow
def test_without_headline_numbers_bytes_decide(toy: Path) -> None:
    file = toy / "dvc.yaml"
    file.write_text(file.read_text().replace("headline.json", "other.json"))
    shutil.move(toy / "metrics/headline.json", toy / "metrics/other.json")
    dvc(toy, "commit", "--force")
    commit(toy, "no headline")
    result = verify(toy)
    assert result.reproduced
    assert "no metrics/headline.json: numbers are not compared" in report(result)
    run_other = toy / "data/adapters/base/out.txt"
    run_other.write_text("other arithmetic", encoding="utf-8")
    dvc(toy, "commit", "--force")
    assert "there is no metrics/headline.json to compare by numbers" in verify(toy).verdict


def test_an_unknown_revision_and_a_commit_without_a_run_are_named(toy: Path) -> None:
    with pytest.raises(DataError, match="Name a commit, tag or branch"):
        verify(toy, "no-such-revision")
    result = verify(toy, "HEAD~1")
    assert not result.reproduced
    assert "this revision has no dvc.lock" in result.verdict


@pytest.mark.slow
def test_another_machine_pulls_the_run_and_has_nothing_to_do(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "clone"
    call(tmp_path, "git", "clone", "--quiet", str(published), str(clone))
    assert "have no outs here; run `dart repro` or `dvc pull`" in verify(clone).verdict
    dvc(clone, "pull")
    assert reproduce(clone, (), 2) == 0
    assert capsys.readouterr().out == f"up to date: {STAGES} stages, nothing to run\n"
    monkeypatch.chdir(clone)
    command()
    assert capsys.readouterr().out.splitlines()[-1].startswith("reproduced: same bytes as ")
    assert call(clone, "git", "status", "--porcelain") == ""
    assert call(clone, sys.executable, "-m", "dvc", "repro").strip().endswith("Data and pipelines are up to date.")


def test_spreads_are_those_of_each_student_and_need_two_seeds() -> None:
    assert seed_spreads({}) == {}
    assert seed_spreads(SEEDS) == {"small.accuracy": Spread(0.02, 4), "small.drift_rate_after": Spread(0.05, 4)}
    one = {"students": {"small": {"quantities": {"headline": {"accuracy": {"sd": None, "n": 1}}}}}}
    assert seed_spreads(one) == {}


def test_the_limit_is_the_t_interval_of_a_difference_of_two_means() -> None:
    # t(0.975, 3) = 3.18245 (Table of Student's distribution), one number
    assert largest_difference(Spread(0.02, 4), 1) == pytest.approx(3.18245 * 0.5**0.5 * 0.02, rel=1e-5)
    assert largest_difference(Spread(0.02, 4), 10) > largest_difference(Spread(0.02, 4), 1)


def test_a_number_that_only_one_run_has_is_missing() -> None:
    states = compare_numbers({"small": {"n": 8, "gain": 0.1}}, {"small": {"n": 8}, "base": {"n": 8}}, {})
    assert {name: number.state for name, number in states.items()} == {
        "small.n": "same", "small.gain": "missing", "base.n": "missing",
    }  # fmt: skip
