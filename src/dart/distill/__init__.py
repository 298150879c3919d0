"""Stage I: the teacher explains the gold label of every training item, and only explanations that keep the rules count.

Section 2.3. `rationales` asks and re-asks; `labels` has the labels predicted instead (Table 23); `acceptance` is the
rule book, which repair (Section 2.5) shares. Import from the modules.
"""
