"""Tables and figures of the paper from a finished run.

`load_run` reads a run, `evaluate` gives the contents of metrics/ and plots/, `write_paper` writes data/paper/ from
them, `summary` says the result in a terminal. Everything between is a pure function from a `Run` to a value.
"""

from dart.paper.evaluate import evaluate
from dart.paper.figures import figures
from dart.paper.report import TABLES, summary, write_paper
from dart.paper.run import Adapter, Run, Settings, StudentRun, load_run
from dart.paper.table import Table

__all__ = [
    "TABLES",
    "Adapter",
    "Run",
    "Settings",
    "StudentRun",
    "Table",
    "evaluate",
    "figures",
    "load_run",
    "summary",
    "write_paper",
]
