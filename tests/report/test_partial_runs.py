"""A run whose branches are missing, or of another run: every table is made, and nothing of another world is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dart.cli.app import main
from dart.core.errors import DataError
from dart.core.files import read_json, write_json
from dart.metrics.provenance import KEY, Checkpoint, Party, Provenance, StudentOrigin
from dart.metrics.run import Settings
from dart.report.contents import TABLES_OF_THE_PAPER, coverage, tables
from dart.report.evidence import PaperRun, load_paper_run
from dart.report.table import NOT_RUN
from dart.report.writer import write_paper
from tests.support.finished_run import REFERENCE_SEED as SEED

SLOTS = ("small", "base")
OF_THE_ARMS = {"7", "19", "20", "21", "23", "26", "29", "30", "31", "32"}
OF_ANNOTATION = {"25", "27", "28"}
MAIN_PATH = {"2", "13", "15", "16", "44", "45"}
WORLD = Provenance(
    profile="tiny",
    label="simulated",
    suite="5" * 64,
    students=tuple(StudentOrigin(slot=slot, name=slot, model="embedded://nano", revision="abc") for slot in SLOTS),
    scorers={"toxicity": Checkpoint(model="embedded://classifier", revision="def")},
    parties={"judge": Party(model="embedded-judge", endpoint="embedded://judge")},
)  # fmt: skip


def _stamp(root: Path, world: Provenance = WORLD, only: str = "**/*") -> None:
    for path in (root / "metrics").glob(f"{only}.json"):
        if path.name != "headline.json":
            write_json(path, {**read_json(path, dict), KEY: world.model_dump(mode="json")})


def _without(run: PaperRun, *branches: str) -> PaperRun:
    metrics = {name: content for name, content in run.metrics.items() if name not in branches}
    empty = {"pairs": (), "roc": ()} if "calibration" in branches else {}
    return run.model_copy(update={"metrics": metrics, **empty})


def test_the_main_path_alone_gives_every_table_and_says_what_has_not_run(run: PaperRun, tmp_path: Path) -> None:
    alone = _without(run, "arms", "calibration", "policy")
    account = write_paper(alone, tmp_path / "report")
    status = {number: entry["status"] for number, entry in account["tables"].items()}
    assert {status[number] for number in OF_THE_ARMS | OF_ANNOTATION} == {"not run"}, status
    assert {status[number] for number in MAIN_PATH} == {"regenerated"}
    assert account["counts"]["tables"]["not run"] + len(MAIN_PATH) <= TABLES_OF_THE_PAPER
    assert account["figures"]["5"] == {"status": "not run", "needs": account["tables"]["25"]["needs"]}
    assert "dvc repro calibrate" in account["tables"]["25"]["needs"]
    assert "ablation arms" in account["tables"]["30"]["needs"]
    assert (tmp_path / "report" / "table02.md").is_file()


def test_a_table_of_a_missing_branch_marks_each_of_its_rows(run: PaperRun) -> None:
    made = {t.number: t for section in tables(_without(run, "arms", "calibration")).values() for t in section}
    for number in ("D", "E", "23", "26", "30", "31"):
        assert not made[number].measured
        assert all(NOT_RUN in row for row in made[number].rows), number
        assert "ablation arms" in made[number].needs


@pytest.mark.parametrize("branch", ["arms", "calibration"])
def test_one_missing_branch_changes_no_table_of_the_main_path(run: PaperRun, branch: str) -> None:
    whole, part = (
        {t.number: t for section in tables(each).values() for t in section} for each in (run, _without(run, branch))
    )
    assert all(whole[number] == part[number] for number in MAIN_PATH)
    assert coverage(_without(run, branch))["counts"]["tables"]["not run"] > coverage(run)["counts"]["tables"]["not run"]


def test_the_disk_may_lack_every_branch(on_disk: Path, run: PaperRun, tmp_path: Path) -> None:
    for name in ("metrics/arms.json", "metrics/calibration.json", "plots/roc.json"):
        (on_disk / name).unlink()
    loaded = load_paper_run(on_disk, SLOTS, SEED, run.settings)
    assert {"arms", "calibration", "external", "openended"}.isdisjoint(loaded.metrics)
    assert loaded.pairs == ()  # pairs without their calibration are no annotation yet
    write_paper(loaded, tmp_path / "report")


def test_numbers_of_two_worlds_are_refused_or_left_out(on_disk: Path, run: PaperRun) -> None:
    _stamp(on_disk)
    _stamp(on_disk, WORLD.model_copy(update={"profile": "paper", "label": "measured"}), "calibration")
    with pytest.raises(DataError, match=r"decision\.json and .*calibration\.json are .*profile tiny / paper; label"):
        load_paper_run(on_disk, SLOTS, SEED, run.settings)
    loaded = load_paper_run(on_disk, SLOTS, SEED, run.settings, refuse_others=False)
    assert "calibration" not in loaded.metrics
    assert "arms" in loaded.metrics
    assert len(loaded.left_out) == 1
    assert "calibration.json" in loaded.left_out[0]


def test_the_main_path_itself_may_not_be_mixed(on_disk: Path, run: PaperRun) -> None:
    _stamp(on_disk)
    _stamp(on_disk, WORLD.model_copy(update={"suite": "6" * 64}), "harm")
    with pytest.raises(DataError, match=r"decision\.json and .*harm\.json are of different runs: suite 5+ / 6+"):
        load_paper_run(on_disk, SLOTS, SEED, run.settings, refuse_others=False)


def test_a_file_without_provenance_is_not_of_a_world_with_one(on_disk: Path, run: PaperRun) -> None:
    _stamp(on_disk, only="[!a]*")
    with pytest.raises(DataError, match=r"arms\.json are of different runs: one has no provenance"):
        load_paper_run(on_disk, SLOTS, SEED, run.settings)


def test_arms_of_another_default_are_refused(on_disk: Path, run: PaperRun) -> None:
    path = on_disk / "metrics" / "arms.json"
    arms = read_json(path, dict)
    arms["default"]["decision"]["accuracy"] = 0.123
    write_json(path, arms)
    with pytest.raises(DataError, match=r"arms\.json compares .* accuracy is 0\.123; metrics/decision\.json has"):
        load_paper_run(on_disk, SLOTS, SEED, run.settings)


def test_the_page_says_which_world_it_is_of(run: PaperRun, tmp_path: Path) -> None:
    stamped = run.model_copy(update={"provenance": WORLD, "numbers": "b10b"})
    write_paper(stamped, tmp_path / "report", "Rendered at commit c0ffee.")
    for name in ("index.md", "index.html"):
        page = (tmp_path / "report" / name).read_text(encoding="utf-8")
        assert "profile tiny (simulated); suite 5555555555555555 (sha256" in page
        assert "embedded-judge" in page
        assert "git log --find-object=b10b" in page
        assert "Rendered at commit c0ffee." in page


def test_dart_report_needs_no_more_than_the_main_path(
    on_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).resolve().parents[2]
    for name in ("params.yaml", "profiles"):
        (on_disk / name).symlink_to(root / name)
    for name in ("arms", "calibration"):
        (on_disk / "metrics" / f"{name}.json").unlink()
    _stamp(on_disk)
    monkeypatch.chdir(on_disk)
    assert main(["report"]) == 0
    assert "report/index.html" in capsys.readouterr().out
    assert "outside of a git repository" in (on_disk / "report" / "index.md").read_text(encoding="utf-8")
    assert main(["report"]) == 0  # its own
    own = on_disk / "report" / "table of contents.txt"
    own.write_text("mine", encoding="utf-8")
    for out in ("data", "report", "params.yaml"):
        assert main(["report", "--out", out]) == 1
        assert "which no report has" in capsys.readouterr().err
    assert own.read_text(encoding="utf-8") == "mine"


def test_the_files_of_a_fixture_are_json(on_disk: Path) -> None:
    _stamp(on_disk)
    content: dict[str, Any] = json.loads((on_disk / "metrics" / "decision.json").read_text(encoding="utf-8"))
    assert content[KEY]["students"][0]["slot"] == "small"
    assert load_paper_run(on_disk, SLOTS, SEED, Settings()).provenance == WORLD
