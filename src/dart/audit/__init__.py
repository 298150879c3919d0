"""The audit of any two models, from here or anywhere: `dart audit`."""
