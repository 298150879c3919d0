"""The environment in which small models compute the same bytes on every x86-64 machine with AVX2 (design, Section 6).

numpy, OpenBLAS and torch choose their code by the processor, and each choice rounds in its own way. These variables
pin the choice to AVX2, and the libraries read them once, while they are imported: so entry points call
`set_environment` before anything else. What variables cannot pin is replaced by `dart.core.portable`.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import sys
from pathlib import Path

from dart.core.errors import ModelError

VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own loops: the width of a vector is the order of a sum
    "OPENBLAS_CORETYPE": "Haswell",  # the kernels of numpy's and scipy's products, on Intel and AMD alike
    "OPENBLAS_NUM_THREADS": "1",  # how a product is divided decides how it is summed
}
# numpy's dispatch levels above AVX2, with the flags by which Linux names what they need. Only those that a processor
# has may be disabled: numpy warns of any other.
NUMPY_LEVELS = {
    "X86_V4": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "AVX512_ICL": {"avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq", "avx512_vnni", "avx512ifma", "avx512vbmi"},
    "AVX512_SPR": {"avx512_fp16"},
}
NUMPY_VARIABLE = "NPY_DISABLE_CPU_FEATURES"
LIBRARIES = ("numpy", "torch")
SWITCH = "DART_PORTABLE_ARITHMETIC"  # "0": small models compute by the libraries' defaults
CPUINFO = Path("/proc/cpuinfo")

_too_late: list[str] = []  # what `set_environment` could not set any more


def obstacle() -> str | None:
    """Why small models do not compute in portable arithmetic here, or None if they do."""
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    return missing_instructions() or _half_precision()


def _half_precision() -> str | None:
    """torch's attention in half precision fails on processors with AMX while its loops are pinned to AVX2.

    So a project whose profile has students in half precision is left alone; its students are large. Two patterns
    read it: this precedes every import, and `dart.core.params` reports what is wrong with the files.
    """
    try:
        name = re.search(r"""^profile: *["']?([\w.-]+)""", Path("params.yaml").read_text(encoding="utf-8"), re.M)
        profile = Path("profiles", f"{name[1]}.yaml").read_text(encoding="utf-8") if name else ""
    except (OSError, ValueError):
        return None  # not in a project
    half = re.search(r"^[^#\n]*\bprecision: *(bf16|fp16)", profile, re.M)
    return f"{name[1]}.yaml has students in half precision" if name and half else None


def set_environment() -> None:
    """Set the variables of this process and of those that it starts, unless there is an `obstacle`.

    They must be set before numpy and torch are imported. If that has happened with other values, nothing is raised
    here, because most of what the project does is indifferent to it; `require_environment` raises.
    """
    if obstacle() is not None:
        return
    different = {name: value for name, value in variables().items() if os.environ.get(name) != value}
    if different and any(library in sys.modules for library in LIBRARIES):
        _too_late[:] = sorted(different)
        return
    os.environ.update(different)


def require_environment() -> None:
    """Raise unless numpy and torch were imported with the variables set.

    Raises:
        ModelError: they were not, so a small model would get weights and answers that another machine does not get.
    """
    wrong = _too_late or [name for name, value in variables().items() if os.environ.get(name) != value]
    if wrong:
        raise ModelError(
            f"A small model needs {', '.join(wrong)} to be set before numpy and torch are imported; otherwise its "
            "bytes depend on the processor. Call dart.core.arithmetic.set_environment() first, or set "
            f"{SWITCH}=0 to accept that."
        )


def variables() -> dict[str, str]:
    """Name and value of each variable that this machine needs."""
    levels = " ".join(level for level, flags in NUMPY_LEVELS.items() if flags <= _cpu_flags())
    return {**VARIABLES, **({NUMPY_VARIABLE: levels} if levels else {})}


def missing_instructions() -> str | None:
    """Why this machine cannot compute the same bytes as others, or None if it can."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return f"the processor is {platform.machine()}, not x86-64"
    if not CPUINFO.exists():
        return f"the instructions of the processor are unknown: there is no {CPUINFO}"
    lacking = {"avx2", "fma"} - _cpu_flags()
    return f"the processor has no {' and no '.join(sorted(lacking))}" if lacking else None


@functools.cache
def _cpu_flags() -> frozenset[str]:
    """The instruction sets of this machine under Linux's names; empty where there is no /proc/cpuinfo."""
    if not CPUINFO.exists():
        return frozenset()
    for line in CPUINFO.read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
