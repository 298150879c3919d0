"""One hostile case in a process of its own, with limits: was it refused in one message, survived, or did it fail?

A case fails if it ends in anything but a `DartError` or a result, if its message is long or not visible, if it takes
more than `TIME_S` or `MEMORY_MB`, or if a file of the reader's has changed.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from dart.core.errors import DartError
from dart.core.visible_text import visible

TIME_S = 10.0  # of CPU time, so that a busy machine decides nothing
WALL_S = 300  # for a case that waits
MEMORY_MB = 500
PRECIOUS = {"thesis/chapter 1.txt": b"precious", "thesis/data.csv": b"id,gold\na,YES\n", "notes.md": b"mine"}
Verdict = Literal["refused", "survived", "failed"]


class Case(NamedTuple):
    """`run` gets a folder of its own, which holds the reader's files `PRECIOUS`."""

    area: str
    name: str
    run: Callable[[Path], object]
    expected: Verdict | None = None  # None: refused or survived


class Result(NamedTuple):
    """What became of a case."""

    case: Case
    verdict: Verdict
    detail: str
    seconds: float
    memory_mb: float  # beyond what the process had before


def run_case(case: Case) -> Result:
    """Run a case in a fork, which ends at twice `TIME_S`."""
    folder = Path(tempfile.mkdtemp(prefix="dart-stress-"))
    for name, content in PRECIOUS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    before = _rss_mb()
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        os.close(reader)
        _in_child(case, folder, writer)
    os.close(writer)
    verdict, detail, seconds, peak = _answer(reader, process)
    memory = max(0.0, peak - before)
    for name, content in PRECIOUS.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != content:
            verdict, detail = "failed", f"{name} of the reader's has been lost"
    shutil.rmtree(folder, ignore_errors=True)
    if verdict != "failed" and seconds > TIME_S:
        verdict, detail = "failed", f"took {seconds:.1f} s of CPU time"
    elif verdict != "failed" and memory > MEMORY_MB:
        verdict, detail = "failed", f"took {memory:.0f} MB"
    elif verdict != "failed" and case.expected not in (None, verdict):
        verdict, detail = "failed", f"{verdict}, and should have been {case.expected}: {detail}"
    return Result(case, verdict, detail, seconds, memory)


def _in_child(case: Case, folder: Path, writer: int) -> None:
    code: tuple[Verdict, str]
    try:
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CPU, (int(2 * TIME_S), int(2 * TIME_S) + 1))
        signal.alarm(WALL_S)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = _outcome(case, folder, printed)
    except BaseException:
        code = "failed", traceback.format_exc()[-1500:]
    used = resource.getrusage(resource.RUSAGE_SELF)
    os.write(writer, pickle.dumps((*code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)))
    os._exit(0)


def _outcome(case: Case, folder: Path, printed: io.StringIO) -> tuple[Verdict, str]:
    try:
        result = case.run(folder)
    except DartError as error:
        message = str(error)
        if not message or len(message) > 20_000:
            return "failed", f"a message of {len(message)} characters"
        return "refused", message[:300]
    except SystemExit as end:
        return ("refused" if end.code == 2 else "failed"), printed.getvalue()[-300:]
    if isinstance(result, int) and not isinstance(result, bool) and result:  # a command's exit status
        text = printed.getvalue()
        if result != 1 or "Traceback" in text or visible(text) != text:
            return "failed", f"exit status {result}: {text[-500:]}"
        return "refused", text[-300:]
    return "survived", ""


def _answer(reader: int, process: int) -> tuple[Verdict, str, float, float]:
    with os.fdopen(reader, "rb") as stream:
        content = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if not content:
        late = status in (-signal.SIGALRM, -signal.SIGXCPU)
        return "failed", f"the process ended with {status}{' (too long)' if late else ''}", 0.0, 0.0
    verdict, detail, seconds, peak = pickle.loads(content)
    return verdict, detail, seconds, peak


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def summary(results: Iterable[Result]) -> str:
    """Tried, refused, survived and failed by area, with the slowest and the largest case."""
    areas: dict[str, list[Result]] = {}
    for result in results:
        areas.setdefault(result.case.area, []).append(result)
    lines = [f"{'area':28} {'tried':>6} {'refused':>8} {'survived':>9} {'failed':>7} {'slowest':>9} {'most':>8}"]
    everything = [result for part in areas.values() for result in part]
    for area, part in [*areas.items(), ("all", everything)]:
        counts = [sum(result.verdict == verdict for result in part) for verdict in ("refused", "survived", "failed")]
        slowest, most = max(r.seconds for r in part), max(r.memory_mb for r in part)
        lines.append(
            f"{area:28} {len(part):6} {counts[0]:8} {counts[1]:9} {counts[2]:7} {slowest:7.1f} s {most:5.0f} MB"
        )
    return "\n".join(lines)
