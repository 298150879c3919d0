"""`dart summary`: the main result of the last run, in the terminal."""

from __future__ import annotations

from pathlib import Path


def summary() -> None:
    """Print the main result table of the last run. Below it: where the report and its figures are."""
    from dart.core import layout, params
    from dart.metrics.provenance import evaluated_world
    from dart.metrics.run import Settings, load_run
    from dart.report.summary import summary as result_table

    settings, profile = params.check()
    world = evaluated_world()
    students = settings.students if world is None else tuple(student.slot for student in world.students)
    label = profile.label if world is None else world.label
    print(result_table(load_run(Path(), students, profile.seeds[0], Settings(label=label))))
    if (layout.REPORT / "index.html").is_file():
        print(f"report   {layout.REPORT}/index.html (all tables also as {layout.REPORT}/table*.md and .tex)")
        if (layout.REPORT / "viewer.html").is_file():
            print(f"samples  {layout.REPORT}/viewer.html (every answer side by side; masked until you ask)")
    else:
        print("report   `dart report` makes one of what has run; `dvc repro` the whole")
    print("figures  " + "  ".join(str(path) for path in sorted(Path("plots/figures").glob("*.png"))))
