"""What `dart` does beside `dvc repro`: one module per command, thin over the package that knows the matter."""
