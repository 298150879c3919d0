"""A stage in a fork of the server is the stage as its own process: arguments, streams, folder, exit, and its end."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dart.core.dvc_graph import PlannedStage
from dart.core.stage_server import LIBRARIES, VARIABLE, stage_server

ROOT = Path(__file__).resolve().parents[2]
SHOW = """\
import json, os, sys, time
from pathlib import Path
def run(*slots):
    if slots == ("fail",):
        from dart.core.errors import DataError
        raise DataError("planted")
    if slots == ("sleep",):
        Path("pid").write_text(str(os.getpid()))
        try:
            time.sleep(60)
        finally:
            Path("ended").touch()
    loaded = [name for name in ("colorsys", "dart.core.graph") if name in sys.modules]
    print(json.dumps([slots, sys.argv[1:], os.getcwd(), os.environ.get("COLOUR"), loaded, sys.stdin.read()]))
    print("to stderr", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose stages are this checkout's dispatcher and one script."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "stages").mkdir()
    for name in ("__init__", "__main__", "server"):
        (folder / "stages" / f"{name}.py").write_text((ROOT / "stages" / f"{name}.py").read_text("utf-8"), "utf-8")
    (folder / "stages/show.py").write_text(SHOW, encoding="utf-8")
    (folder / "src").symlink_to(ROOT / "src")
    (folder / "dvc.yaml").write_text("stages: {show: {cmd: python -m stages show}}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has loaded one small library."""
    path = tmp_path_factory.mktemp("s") / "socket"
    server = subprocess.Popen(
        [sys.executable, "-m", "stages.server", str(path), "colorsys"], cwd=root, stdin=subprocess.PIPE,
        start_new_session=True, env=environment(),
    )  # fmt: skip
    wait_for(path)
    yield str(path)
    server.communicate(timeout=30)
    assert server.returncode == 0


def environment(**variables: str) -> dict[str, str]:
    """That of a shell; pytest names the current test in its own."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"} | variables


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


def start(root: Path, *slots: str, **variables: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "stages", "show", *slots], cwd=root, env=environment(**variables), text=True,
        stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def run(root: Path, *slots: str, **variables: str) -> tuple[int, str, str]:
    process = start(root, *slots, **variables)
    output, errors = process.communicate("typed", timeout=60)
    return process.returncode, output, errors


def test_a_fork_has_arguments_streams_folder_and_exit_code_of_the_command(root: Path, address: str) -> None:
    for slots in (("a", "b"), ("fail",)):
        code, output, errors = run(root, *slots, **{VARIABLE: address})
        alone = run(root, *slots)
        assert (code, output.replace('"colorsys", ', ""), errors) == alone
        assert alone[0] == (1 if slots == ("fail",) else 0)
        assert '"colorsys"' in output or slots == ("fail",), "the stage did not run in a fork of the server"


def test_code_is_imported_as_it_is_now(root: Path, address: str) -> None:
    script = root / "stages/show.py"
    before = script.read_text(encoding="utf-8")
    script.write_text("def run(*slots):\n    print('edited')\n", encoding="utf-8")
    try:
        assert run(root, **{VARIABLE: address})[1] == "edited\n"
    finally:
        script.write_text(before, encoding="utf-8")


def test_another_environment_or_a_server_that_is_gone_leaves_the_stage_to_its_command(root: Path, address: str) -> None:
    code, output, _ = run(root, COLOUR="blue", **{VARIABLE: address})
    assert code == 0
    assert '"blue"' in output
    assert '"colorsys"' not in output
    assert run(root, **{VARIABLE: f"{address}-none"}) == run(root)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_command_that_is_stopped_stops_its_stage(root: Path, address: str, number: signal.Signals, code: int) -> None:
    for name in ("pid", "ended"):
        (root / name).unlink(missing_ok=True)
    process = start(root, "sleep", **{VARIABLE: address})
    wait_for(root / "pid")
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == code, output + errors
    stage = int((root / "pid").read_text())
    deadline = time.monotonic() + 30
    while Path(f"/proc/{stage}").exists():
        assert time.monotonic() < deadline, "the stage still runs"
        time.sleep(0.02)
    assert (root / "ended").exists() == (number == signal.SIGINT)  # what has time cleans up


def test_the_server_lasts_as_long_as_the_run_that_started_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dart.core.stage_server.LIBRARIES", ("colorsys",))
    stages = [PlannedStage(f"train@{name}", frozenset(), 1, True) for name in "abc"]
    with stage_server(root, stages, has_devices=False) as variables:
        wait_for(Path(variables[VARIABLE]))
    assert not Path(variables[VARIABLE]).exists()
    for few, has_devices in ((stages[:2], False), (stages, True)):
        with stage_server(root, few, has_devices) as variables:
            assert variables == {}


def test_the_server_loads_libraries_that_exist_and_nothing_of_this_project() -> None:
    for name in LIBRARIES:
        library, *parts = name.split(".")
        spec = importlib.util.find_spec(library)  # of the library alone: nothing is imported
        assert spec is not None, name
        assert spec.origin is not None, name
        path = Path(spec.origin).parent.joinpath(*parts)
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
        assert library not in ("dart", "stages")
