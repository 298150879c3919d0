"""Size and speed in a browser of the pages that hold samples, at 3,248 pairs with explanations of 120 to 200 words.

A run's viewer and the folder of `dart audit`, from invented texts that compress as English does. Opens each page from
disk in chromium without a network and prints megabytes, seconds from the start of the navigation until the filters can
be used, and milliseconds until the rows of a filter, of a search and of the next sample are shown. Wall time: measure
on an idle machine.

    python benchmarks/viewer_speed.py --repeats 5 [--pairs 3248] [--students 1]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from dart.cli.app import main as dart
from dart.viewer.archive import archive
from dart.viewer.page import viewer_html
from tests.support.browser import executable
from tests.support.fake_server import Server, running
from tests.support.hashed_judge import answer
from tests.support.paper_size import PAIRS, run_samples, write_sides

GOAL_MB, GOAL_S = 8.0, 2.0
# Waits two frames, so that what a script has drawn is on the screen.
TIMED = """async ([action, argument]) => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  await frame();
  const began = performance.now();
  if (action === 'write') await writeState(argument); else await step(1);
  await frame();
  return performance.now() - began;
}"""
ACTIONS: dict[str, list[Any]] = {
    "filter": ["write", {"severity": "any", "benchmark": "D1"}],
    "order": ["write", {"severity": "", "benchmark": "", "sort": "-delta"}],
    "search": ["write", {"q": "nothing of this kind"}],
    "search again": ["write", {"q": "tin te"}],
    "next sample": ["step", None],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--students", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slots = [f"slot{k}" for k in range(args.students)]
        viewer = folder / "viewer.html"
        viewer.write_text(viewer_html([archive(run_samples(args.pairs, slots))]), encoding="utf-8")
        audits = {f"dart audit, {n} sides": audited(folder, n, args.pairs) for n in (2, 3)}
        pages = {f"viewer, {args.students} student(s), 4 variants": viewer, **audits}
        print(f"{args.pairs} pairs; medians of {args.repeats}; goal: {GOAL_MB:.0f} MB, {GOAL_S:.0f} s until usable")
        for title, page in pages.items():
            print(f"{title}: {report(page, args.repeats)}", flush=True)


def audited(folder: Path, sides: int, pairs: int) -> Path:
    """The viewer of an audit with a judge that answers by a hash; prints what the audit itself took."""
    data, out = folder / f"data{sides}", folder / f"audit{sides}"
    data.mkdir()
    paths = write_sides(data, pairs)[:sides]
    began = time.perf_counter()
    with running(Server(answer)) as address, contextlib.redirect_stdout(io.StringIO()):
        command = ["audit", *map(str, paths), "--prompts", str(data / "prompts.jsonl"), "--judge", address]
        code = dart([*command, "--judge-model", "hashed", "--out", str(out)])
    assert code == 0, "the audit failed"
    megabytes = {
        str(path.relative_to(out)): path.stat().st_size / 1e6 for path in sorted(out.rglob("*")) if path.is_file()
    }
    print(f"dart audit, {sides} sides, {time.perf_counter() - began:.0f} s:", end=" ")
    print(", ".join(f"{name} {size:.2f} MB" for name, size in megabytes.items()))
    return out / "viewer.html"


def report(path: Path, repeats: int) -> str:
    """Size and medians of one page."""
    from playwright.sync_api import sync_playwright

    seconds: list[float] = []
    actions: dict[str, list[float]] = {name: [] for name in ACTIONS}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        for _ in range(repeats):
            context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
            page = context.new_page()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", timeout=120_000)
            seconds.append(page.evaluate("performance.getEntriesByName('ready')[0].startTime") / 1000)
            for name, action in ACTIONS.items():
                actions[name].append(page.evaluate(TIMED, action))
            context.close()
        browser.close()
    parts = [f"{name} {statistics.median(values):.0f} ms" for name, values in actions.items()]
    usable = f"usable after {statistics.median(seconds):.2f} s (worst {max(seconds):.2f})"
    return f"{path.stat().st_size / 1e6:.2f} MB, {usable}; {', '.join(parts)}"


if __name__ == "__main__":
    main()
