"""The sections of params.yaml and of the profiles, as validated records; `dart.core.params` reads the files."""
