"""One hostile case in a process of its own, with limits: was it refused in one message, survived, or did it fail?

A case fails if it ends in anything but a `DartError` or a result, if its message is long or not visible, if it takes
more than `CPU_S`, `ELAPSED_S` or `MEMORY_MB`, or if a file of the reader's has changed.
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
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from dart.core.errors import DartError
from dart.core.visible_text import visible

CPU_S = 10.0  # of the case and the processes that it starts
ELAPSED_S = 12.0  # without the time for which no core was free; the probe of a template without end takes 10 s of it
WALL_S = 300  # a case that has not ended by then is ended
MEMORY_MB = 500  # beyond what the process had when the case began
PRECIOUS = {"thesis/chapter 1.txt": b"precious", "thesis/data.csv": b"id,gold\na,YES\n", "notes.md": b"mine"}
Verdict = Literal["refused", "survived", "failed"]


class Case(NamedTuple):
    """`run` gets a folder of its own, which holds the reader's files `PRECIOUS`."""

    area: str
    name: str
    run: Callable[[Path], object]
    expected: Verdict | None = None  # None: refused or survived


class Use(NamedTuple):
    """What a case and the processes that it started took."""

    cpu_s: float
    elapsed_s: float  # without the time for which no core was free
    memory_mb: float  # peak of the resident set, beyond its size when the case began

    def beyond(self) -> str | None:
        """The first limit that was not kept."""
        limits = (("s of CPU time", CPU_S), ("s", ELAPSED_S), ("MB", MEMORY_MB))
        over = [f"took {value:.1f} {unit}" for value, (unit, limit) in zip(self, limits, strict=True) if value > limit]
        return over[0] if over else None


class Result(NamedTuple):
    """What became of a case."""

    case: Case
    verdict: Verdict
    detail: str
    use: Use


def run_case(case: Case) -> Result:
    """Run a case in a fork, which ends at twice `CPU_S` or at `WALL_S`."""
    folder = Path(tempfile.mkdtemp(prefix="dart-stress-"))
    for name, content in PRECIOUS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        os.close(reader)
        _in_child(case, folder, writer)
    os.close(writer)
    verdict, detail, use = _answer(reader, process)
    for name, content in PRECIOUS.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != content:
            verdict, detail = "failed", f"{name} of the reader's has been lost"
    shutil.rmtree(folder, ignore_errors=True)
    if verdict != "failed" and (beyond := use.beyond()):
        verdict, detail = "failed", beyond
    elif verdict != "failed" and case.expected not in (None, verdict):
        verdict, detail = "failed", f"{verdict}, and should have been {case.expected}: {detail}"
    return Result(case, verdict, detail, use)


def _in_child(case: Case, folder: Path, writer: int) -> None:
    code: tuple[Verdict, str]
    start, waited, size = time.monotonic(), _waited_s(), _size_mb()
    try:
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CPU, (int(2 * CPU_S), int(2 * CPU_S) + 1))
        signal.alarm(WALL_S)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = _outcome(case, folder, printed)
    except BaseException:
        code = "failed", traceback.format_exc()[-1500:]
    elapsed = time.monotonic() - start - (_waited_s() - waited)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = max(one.ru_maxrss for one in used) / 1024
    use = Use(sum(one.ru_utime + one.ru_stime for one in used), elapsed, max(0.0, peak - size))
    os.write(writer, pickle.dumps((*code, use)))
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


def _answer(reader: int, process: int) -> tuple[Verdict, str, Use]:
    with os.fdopen(reader, "rb") as stream:
        content = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if not content:
        late = status in (-signal.SIGALRM, -signal.SIGXCPU)
        return "failed", f"the process ended with {status}{' (too long)' if late else ''}", Use(0.0, 0.0, 0.0)
    verdict, detail, use = pickle.loads(content)
    return verdict, detail, use


def _size_mb() -> float:
    """Of the resident set now; a fork's peak begins here, whatever its parent's was."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20


def _waited_s() -> float:
    """Seconds for which this thread could have run and no core was free: a busy machine decides nothing."""
    statistics = Path("/proc/self/schedstat")
    return int(statistics.read_text(encoding="ascii").split()[1]) / 1e9 if statistics.is_file() else 0.0


def summary(results: Iterable[Result]) -> str:
    """Tried, refused, survived and failed by area, with the most CPU time, time and memory of any case."""
    areas: dict[str, list[Result]] = {}
    for result in results:
        areas.setdefault(result.case.area, []).append(result)
    columns = ("tried", "refused", "survived", "failed", "CPU time", "elapsed", "memory")
    lines = [f"{'area':28}" + "".join(f"{column:>10}" for column in columns)]
    everything = [result for part in areas.values() for result in part]
    for area, part in [*areas.items(), ("all", everything)]:
        counts = [
            len(part),
            *(sum(r.verdict == verdict for r in part) for verdict in ("refused", "survived", "failed")),
        ]
        cpu, elapsed, memory = (max(values) for values in zip(*(result.use for result in part), strict=True))
        lines.append(
            f"{area:28}" + "".join(f"{count:10}" for count in counts) + f"{cpu:8.1f} s{elapsed:8.1f} s{memory:7.0f} MB"
        )
    return "\n".join(lines)
