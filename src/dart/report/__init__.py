"""Tables and figures of the paper from a finished run.

`run.load_run` reads a run, `evaluate.evaluate` gives the contents of metrics/ and plots/, `evidence.load_paper_run`
adds what only the tables show, `report.write_paper` writes data/paper/ and returns the coverage, `headline.summary`
says the result in a terminal. `contents` is the list of all tables. Everything between is a pure function from a run
to a value. Import from the modules: the metrics do not depend on how tables look.
"""
