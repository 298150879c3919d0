"""What holds for all tests: small models compute in portable arithmetic, as they do in stages and commands."""

from dart.core.arithmetic import set_environment

set_environment()  # before any test module imports numpy or torch
