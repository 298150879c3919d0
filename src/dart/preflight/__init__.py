"""What would end a run hours later, looked at before it begins: `dart check --online`, and the first stages."""
