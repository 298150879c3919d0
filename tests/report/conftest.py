"""The fixtures of a finished run."""

from tests.support.finished_run import evaluated, on_disk, run, truth, unannotated, unevaluated, written

__all__ = ["evaluated", "on_disk", "run", "truth", "unannotated", "unevaluated", "written"]
