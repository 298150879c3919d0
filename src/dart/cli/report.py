"""`dart report`: tables, figures and the page from whatever has run; the rest is marked "not run"."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Annotated

import typer

OUT = Path("report")
# in a report
WRITTEN = re.compile(r"index\.(md|html)|viewer\.html|tables\.tex|table\w+\.(md|tex)|figure\w+\.(png|svg|pdf)")
SOURCES = ("params.yaml", "profiles", "dvc.lock", "ablations", "external", "recipes", "metrics", "src", "stages")


def report(
    out: Annotated[Path, typer.Option("--out", "-o", help="folder to write; it is replaced")] = OUT,
) -> None:
    """Write tables, figures and the page of the last run. What has not run is marked so."""
    from dart.annotation.sample import primary
    from dart.core import params
    from dart.core.errors import DataError
    from dart.metrics.provenance import evaluated_world
    from dart.metrics.run import Settings
    from dart.report.evidence import load_paper_run
    from dart.report.row_links import Viewer
    from dart.report.writer import write_paper
    from dart.viewer.archive import archive
    from dart.viewer.page import viewer_html
    from dart.viewer.samples import load_samples

    if strange := foreign_files(out):
        raise DataError(
            f"{out} holds {', '.join(strange[:3])}{' and more' if len(strange) > 3 else ''}, which no report has, and "
            "the whole folder would be replaced. Name another folder with --out."
        )
    settings, profile = params.check()
    world = evaluated_world()
    students = settings.students if world is None else tuple(student.slot for student in world.students)
    run = load_paper_run(
        Path(),
        students,
        profile.seeds[0],
        Settings(
            label=profile.label if world is None else world.label,
            tau_delta=settings.tau_delta,
            severity_weights=settings.severity_weights,
        ),
        refuse_others=False,
    )
    labelled = primary(students)
    samples = load_samples(Path(), students, profile.seeds, run.settings.label, settings.profile, labelled)
    viewer = Viewer(viewer_html([archive(samples)]), truth=False)
    coverage = write_paper(run, out, tree_state(Path()), viewer)
    for text in run.left_out:
        print(f"left out: {text}")
    counts = coverage["counts"]["tables"]
    print(f"report   {out / 'index.html'} ({', '.join(f'{n} tables {status}' for status, n in counts.items())})")


def foreign_files(out: Path) -> list[str]:
    """What stands in `out` and is of no report; `out` itself, if it is a file."""
    if out.is_dir():
        return sorted(path.name for path in out.iterdir() if path.is_dir() or not WRITTEN.fullmatch(path.name))
    return [out.name] if out.exists() else []


def tree_state(root: Path) -> str:
    """The commit of the working tree, and what differs from it; said on the page, because no stage writes it."""
    done = [
        subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False)
        for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", *SOURCES])
    ]
    if any(process.returncode for process in done):
        return "Rendered by `dart report` outside of a git repository."
    changed = sorted({line[3:].split("/")[0] for line in done[1].stdout.splitlines()})
    suffix = f", with changes in {', '.join(changed)} since" if changed else ""
    return f"Rendered by `dart report` at commit {done[0].stdout.strip()}{suffix}."
