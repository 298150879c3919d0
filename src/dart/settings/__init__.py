"""The sections of params.yaml and of the profiles, as validated records; `dart.params` reads the files."""
