"""What holds for all tests: the arithmetic of the stages, set before any test module imports numpy or torch."""

from dart.core.arithmetic import set_environment

set_environment()
