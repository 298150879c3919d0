"""What holds for all tests: portable arithmetic is tested in a process of its own, because it pins torch and numpy.

tests/core/test_portable_arithmetic.py starts that process, with the modules that are left out here.
"""

from dart.core.arithmetic import is_requested, set_environment

set_environment()  # where it is requested, before any test module imports numpy or torch
collect_ignore = [] if is_requested() else ["core/test_arithmetic.py", "core/test_portable.py"]
