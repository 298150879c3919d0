"""One module per stage of dvc.yaml: read the declared parameters, call the library, write the outs.

`dart` is imported from this checkout's src/, whichever checkout it is: DVC runs experiments in temporary
copies, where an installed package would silently be the code of another version.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from dart.core.arithmetic import set_environment

set_environment()  # before a stage imports numpy or torch
