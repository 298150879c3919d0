"""Tables and figures of the paper from a finished run.

`run.load_run` reads a run, `evaluate.evaluate` gives the contents of metrics/ and plots/, `report.write_paper` writes
data/paper/ from them, `report.summary` says the result in a terminal. Everything between is a pure function from a
`Run` to a value. Import from the modules: the metrics do not depend on how tables look.
"""
