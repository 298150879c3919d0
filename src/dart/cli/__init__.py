"""What `dart` does beside `dvc repro`: one module per command, thin over the package that knows the matter."""

from dart.core.arithmetic import set_environment

set_environment()  # before a command imports numpy or torch
