"""Tables and figures of the paper from a finished run.

`evidence.load_paper_run` reads a run with what only the tables show, `writer.write_paper` writes data/paper/ and
returns the coverage, `summary.summary` is the result as text for a terminal. `contents` is the list of all tables.
Everything between is a pure function from a run to a value; numbers are computed in `dart.metrics`, here they are only
formatted.
"""
