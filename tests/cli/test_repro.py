"""`dart repro`: the lock files of `dvc repro`, several stages at once, and a clean stop."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dart.cli.repro import duration, log_path, reproduce, times_table
from dart.core.dvc_graph import plan
from dart.core.errors import DataError
from dart.core.scheduler import Result
from tests.support.toy_repo import STAGES, commit, dvc, environment, lock_files, toy_repo

pytestmark = pytest.mark.slow

RUN = "import sys; from pathlib import Path; from dart.cli.repro import reproduce; sys.exit(reproduce(Path(), sys.argv[2:], int(sys.argv[1])))"  # noqa: E501
SRC = Path(__file__).resolve().parents[2] / "src"


def start(folder: Path, jobs: int, *targets: str, **extra: str) -> subprocess.Popen[str]:
    """`dart repro` as a process of its own, as a user's shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(jobs), *targets],
        cwd=folder,
        env=environment(PYTHONPATH=str(SRC), **extra),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a shell that runs the tests in the background has them ignore SIGINT, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run(folder: Path, jobs: int, *targets: str, **extra: str) -> tuple[int, str, str]:
    process = start(folder, jobs, *targets, **extra)
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def ran(folder: Path) -> set[str]:
    return {path.stem for path in (folder / ".dart/ran").glob("*.json")}


def forget(folder: Path) -> None:
    shutil.rmtree(folder / ".dart/ran", ignore_errors=True)


@pytest.fixture(scope="module")
def start_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_repo(tmp_path_factory.mktemp("start") / "toy")


@pytest.fixture(scope="module")
def serial(start_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository after `dvc repro`."""
    folder = tmp_path_factory.mktemp("serial") / "toy"
    shutil.copytree(start_state, folder)
    dvc(folder, "repro")
    return folder


@pytest.fixture
def toy(start_state: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(start_state, tmp_path / "toy"))


def test_the_lock_files_are_those_of_dvc_repro(toy: Path, serial: Path) -> None:
    # the first stage of its level in serial order ends last
    code, output, errors = run(toy, 4, TOY_SLEEP_arm_uniform="1", TOY_MEET="train@small,train@base")
    assert code == 0, output + errors
    assert lock_files(toy) == lock_files(serial)
    assert lock_files(toy).keys() == {"dvc.lock", "ablations/dvc.lock"}
    assert len(ran(toy)) == STAGES
    assert dvc(toy, "status").strip() == "Data and pipelines are up to date."


def test_stages_run_side_by_side(toy: Path) -> None:
    names = ("arm@uniform", "arm@light", "arm@heavy")
    assert run(toy, 3, TOY_MEET=",".join(names))[0] == 0
    arms = [json.loads((toy / f".dart/ran/{name}.json").read_text()) for name in names]
    assert max(arm["begin"] for arm in arms) < min(arm["end"] for arm in arms)


@pytest.mark.slow
def test_each_gpu_stage_has_a_device_of_its_own_and_others_have_none(toy: Path) -> None:
    assert run(toy, 4, TOY_SLEEP="0.3", CUDA_VISIBLE_DEVICES="4,7")[0] == 0
    devices = {path.stem: json.loads(path.read_text()) for path in (toy / ".dart/ran").glob("*.json")}
    gpu_stages = {name: entry for name, entry in devices.items() if name.startswith(("train@", "arm@"))}
    assert {entry["devices"] for entry in gpu_stages.values()} == {"4", "7"}
    for device in "47":
        spans = sorted((entry["begin"], entry["end"]) for entry in gpu_stages.values() if entry["devices"] == device)
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    assert {entry["devices"] for name, entry in devices.items() if name not in gpu_stages} == {""}


@pytest.mark.slow
def test_with_a_launcher_a_gpu_stage_has_all_devices(toy: Path) -> None:
    assert run(toy, 4, "train@small", CUDA_VISIBLE_DEVICES="0,1", DART_LAUNCHER="torchrun --nproc-per-node 2")[0] == 0
    assert json.loads((toy / ".dart/ran/train@small.json").read_text())["devices"] == "0,1"


def test_one_line_per_stage_and_the_details_in_logs(toy: Path) -> None:
    _, output, errors = run(toy, 2)
    lines = output.splitlines()
    assert lines[0] == f"{STAGES} of {STAGES} stages to run or check, 2 at once, logs in .dart/logs/"
    assert [line.split()[0] for line in lines[1:10]] == [f"[{k:2}/{STAGES}]".split()[0] for k in range(1, 10)]
    assert errors == ""
    assert lines[-1].startswith(f"{STAGES} stages ran: ")
    assert "stage arm@light runs" in (toy / ".dart/logs/ablations.arm@light.log").read_text()
    assert "stage suite runs" not in output


def test_nothing_to_run_runs_nothing(serial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forget(serial)
    before = lock_files(serial)
    assert reproduce(serial, (), 2) == 0
    assert capsys.readouterr().out == f"up to date: {STAGES} stages, nothing to run\n"
    assert ran(serial) == set()
    assert lock_files(serial) == before


@pytest.mark.slow
def test_only_what_changed_and_what_it_feeds_runs(toy: Path) -> None:
    run(toy, 3)
    forget(toy)
    params = toy / "params.yaml"
    params.write_text(params.read_text().replace("light: 2", "light: 5"))
    code, output, _ = run(toy, 3)
    assert code == 0
    assert ran(toy) == {"arm@light", "arms", "evaluate"}
    assert "[1/3] ablations/dvc.yaml:arm@light" in output


def test_a_stage_whose_input_came_out_the_same_is_skipped(toy: Path) -> None:
    run(toy, 3)
    forget(toy)
    job = toy / "dvc.yaml"  # another command, the same bytes: what follows is unchanged
    job.write_text(job.read_text().replace("python job.py suite data/suite", "python  job.py suite  data/suite"))
    code, output, errors = run(toy, 3)
    assert code == 0, output + errors
    assert ran(toy) == {"suite"}
    assert output.count("  unchanged") == STAGES - 1
    assert f"1 stages ran, {STAGES - 1} unchanged" in output


@pytest.mark.slow
def test_a_target_runs_with_what_it_needs(toy: Path) -> None:
    assert run(toy, 2, "audit@base")[0] == 0
    assert ran(toy) == {"suite", "train@base", "audit@base"}
    forget(toy)
    assert run(toy, 2, "ablations/dvc.yaml:arm@heavy")[0] == 0
    assert ran(toy) == {"train@small", "arm@heavy"}


@pytest.mark.slow
def test_after_a_failure_nothing_starts_and_what_runs_may_finish(toy: Path, serial: Path) -> None:
    code, output, errors = run(toy, 2, TOY_FAIL="train@base", TOY_SLEEP_train_small="5")
    assert code == 1
    assert "stage train@base failed (exit code 1). The end of .dart/logs/train@base.log:" in errors
    assert "planted failure" in errors
    assert "1 failed, 7 not started" in errors
    assert ran(toy) == {"suite", "train@small"}
    assert "[ 3/10] train@small" in output
    code, output, errors = run(toy, 2)
    assert code == 0, output + errors
    assert output.startswith(f"8 of {STAGES} stages")
    assert lock_files(toy) == lock_files(serial)


@pytest.mark.slow
def test_keep_going_runs_what_the_failed_stage_does_not_feed(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(TOY_FAIL="train@base").items():
        monkeypatch.setenv(name, value)
    assert reproduce(toy, (), 2, keep_going=True) == 1
    assert ran(toy) == {"suite", "train@small", "audit@small", "arm@uniform", "arm@light", "arm@heavy", "arms"}


def wait_for(path: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_or_killed_goes_on_where_it_was(toy: Path, serial: Path, number: signal.Signals) -> None:
    process = start(toy, 3, TOY_SLEEP_arm_light="120")
    wait_for(toy / ".dart/ran/arm@light.started")
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=120)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "interrupted (" in errors
        assert "arm@light" in errors
    done = ran(toy)
    assert "arm@light" not in done
    forget(toy)
    code, output, errors = run(toy, 3)
    assert code == 0, output + errors
    assert "arm@light" in ran(toy)
    assert "suite" not in ran(toy)
    assert lock_files(toy) == lock_files(serial)


def test_dry_prints_the_stages(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reproduce(toy, ("train@small",), 2, dry=True) == 0
    assert capsys.readouterr().out == "suite\ntrain@small\n"
    assert ran(toy) == set()


def test_an_unknown_target_is_named(toy: Path) -> None:
    with pytest.raises(DataError, match="no_such_stage"):
        plan(toy, ["no_such_stage"])


def test_a_folder_without_dvc_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Run from the repository's root"):
        plan(tmp_path)


def test_a_wrong_number_of_gpus_is_refused(toy: Path) -> None:
    file = toy / "dvc.yaml"
    file.write_text(file.read_text().replace("gpus: 1", "gpus: many"))
    commit(toy, "wrong")
    with pytest.raises(DataError, match=r"train@small: meta\.gpus must be an integer >= 0"):
        plan(toy)


def test_times_longest_first() -> None:
    results = [Result("a", "done", 10.0, 0), Result("b@x", "failed", 30.0, 1), Result("c", "unchanged", 0.3, 3)]
    lines = times_table(results, 31.0)
    assert [line.split()[0] for line in lines[2:4]] == ["b@x", "a"]
    assert "75.0%  failed" in lines[2]
    assert lines[-1] == "2 stages ran, 1 unchanged: 31 s, 40 s one after the other"


def test_durations_and_log_names() -> None:
    assert [duration(seconds) for seconds in (0.44, 41.2, 200, 7500)] == ["0.4 s", "41 s", "3 min 20 s", "2 h 05 min"]
    assert str(log_path("train@small")) == ".dart/logs/train@small.log"
    assert str(log_path("external/dvc.yaml:answers@bold-small")) == ".dart/logs/external.answers@bold-small.log"
