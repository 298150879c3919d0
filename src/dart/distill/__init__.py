"""Stage I: the teacher explains the gold label of every training item, under rules that are checked (Section 2.3).

`rationales` asks and re-asks; `labels` predicts labels instead (Table 23); `acceptance` contains the rules, which
repair (Section 2.5) shares; `rows` makes the training set. Import from the modules.
"""
