"""The offline simulation: a suite, nano students, a tiny classifier, and simulated teacher, judge and annotators.

Its numbers are simulated: they test the pipeline and say nothing about real language models. Only stages, the cost
estimate and tests import this package; all other code gets a model path or a base URL.
"""
