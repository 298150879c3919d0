"""The command line: what `dart` offers beside `dvc repro`, one module per command, thin over the package behind it."""
