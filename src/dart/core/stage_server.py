"""Starts the process that `dart repro` forks stages from (`stages.server`), and ends it.

Where a GPU is used there is none: the start of a process is nothing beside the work there, and a process that has
touched CUDA must not be forked.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dart.core.dvc_graph import PlannedStage

MODULE = Path("stages") / "server.py"
VARIABLE = "DART_STAGE_SERVER"  # the path of its socket, for `python -m stages`
# What stages that train, answer or compute statistics import: of each library the modules that take long.
LIBRARIES = (
    "peft", "transformers.trainer", "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto", "transformers.models.llama.modeling_llama",
    "transformers.models.bert.modeling_bert", "pydantic", "httpx", "yaml",
    "scipy.stats", "scipy.special", "sklearn.metrics", "statsmodels.stats.multitest",
)  # fmt: skip
WORTHWHILE = 3  # stages with models: fewer load what they need sooner than the server does


@contextmanager
def stage_server(root: Path, stages: Sequence[PlannedStage], has_devices: bool) -> Iterator[dict[str, str]]:
    """The variables by which stages find a server that runs within; none where it would not pay.

    Args:
        stages: those that are about to run; which of them have models is what `meta: {gpus: N}` says.
        has_devices: whether there are GPUs, or a launcher that finds them.
    """
    with_models = sum(stage.gpus > 0 for stage in stages)
    if sys.platform != "linux" or has_devices or with_models < WORTHWHILE or not (root / MODULE).is_file():
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="dart-") as folder:
        address = f"{folder}/socket"
        command = [sys.executable, "-m", "stages.server", address, *LIBRARIES]
        quiet = subprocess.DEVNULL
        # a session of its own: Ctrl-C in the terminal is for the commands, which pass it on
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )
        try:
            yield {VARIABLE: address}
        finally:
            assert process.stdin is not None
            process.stdin.close()  # also what ends it if this process is killed
            process.wait()
