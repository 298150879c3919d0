"""`python -m stages NAME [SLOT]`: run one stage. Every `cmd` of dvc.yaml is this line.

Here because machine layout must stay out of dvc.lock: a stage whose entry in dvc.yaml says `meta: {launcher: true}` can
use several processes and is started through the command in DART_LAUNCHER (say ``torchrun --nproc-per-node 8``), which
changes how fast a result comes and not which one. A `DartError` is printed without traceback and exits with 1.

Under `dart repro` a stage may run in a fork of a process that has the libraries loaded (`stages.server`). Then this one
only waits, so what a stage needs is imported in `main`.
"""

from __future__ import annotations

import importlib
import logging
import os
import shlex
import shutil
import subprocess
import sys

from stages.server import run_in_server

WORKER = "DART_WORKER"
QUIET_LIBRARIES = ("httpx", "dvc", "datasets", "matplotlib", "fontTools", "accelerate", "transformers")


def _through_launcher(arguments: list[str]) -> int | None:
    from dart.core import graph

    launcher = shlex.split(os.environ.get("DART_LAUNCHER", ""))
    if not launcher or os.environ.get(WORKER) or not graph.uses_launcher(arguments[0]):
        return None
    command = [*launcher, "-m", "stages", *arguments]
    return subprocess.run(command, env={**os.environ, WORKER: "1"}, check=False).returncode


def main(arguments: list[str]) -> int:
    from dart.core import graph
    from dart.core.errors import DartError
    from dart.core.visible_text import VisibleFormatter, visible
    from dart.preflight.checks import before_stage

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    if not os.environ.get(WORKER):
        for folder in graph.leftovers(arguments[0], arguments[1:]):
            shutil.rmtree(folder, ignore_errors=True)
    code = _through_launcher(arguments)
    if code is not None:
        return code
    name, slots = arguments[0], arguments[1:]
    try:
        for finding in before_stage(name, slots):
            logging.info("check: %s: %s", finding.subject, finding.text)
        importlib.import_module(f"stages.{name}").run(*slots)
    except DartError as error:
        print(f"stage {'@'.join(arguments)}: {visible(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stage {'@'.join(arguments)}: interrupted; `dvc repro` continues from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    code = run_in_server(sys.argv[1:])
    sys.exit(main(sys.argv[1:]) if code is None else code)
