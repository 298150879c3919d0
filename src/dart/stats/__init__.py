"""Statistics of the paper, thin and typed over numpy, scipy, statsmodels and scikit-learn.

`decision` turns answers into rates; `bootstrap` and `intervals` put percentile or BCa intervals around them, `cluster`
intervals that know scenarios; `paired`, `permutation`, `location` hold tests, effect sizes and shifts; `equivalence`
and `power` test claims of "unchanged" and "not significant"; `compare` joins them for two sets of answers. `drift`,
`harm` and `prevalence` account for the harm and its rate, `agreement` and `calibration` for judge and screen. Records
that do not pair one to one are refused, never dropped.
"""
