"""Any two files of outputs, from here or anywhere: `dart compare`."""
