"""The command line: what `dart` offers beside `dvc repro`, one module per command, thin over the package behind it."""

from dart.core.arithmetic import set_environment

set_environment()  # before a command imports numpy or torch
