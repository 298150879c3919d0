"""`dart summary`: the main result of the last run, in the terminal."""

from __future__ import annotations

from pathlib import Path


def summary() -> None:
    """Print the main result table of the last run. Below it: where the report and its figures are."""
    from dart.core import params
    from dart.metrics.run import Settings, load_run
    from dart.report.summary import summary as result_table

    settings, profile = params.check()
    print(result_table(load_run(Path(), settings.students, profile.seeds[0], Settings(label=profile.label))))
    print("report   data/paper/index.html (all tables also as data/paper/table*.md and .tex)")
    print("figures  " + "  ".join(str(path) for path in sorted(Path("plots/figures").glob("*.png"))))
