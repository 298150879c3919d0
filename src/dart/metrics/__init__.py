"""The numbers of a finished run: what stage evaluate writes. Import from the modules."""
