"""One module per section of the page; each table is a pure function from a run to a `Table`."""
