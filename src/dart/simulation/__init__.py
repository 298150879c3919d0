"""The offline world: a suite, nano students, a tiny classifier, and simulated teacher, judge and annotators.

Numbers from it are simulated: they test the pipeline and say nothing about real language models. Only
stages and tests import this package; everything else sees a model path or a base URL.
"""
