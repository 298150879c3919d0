"""Stage I: the teacher explains the gold label of every training item, and only explanations that keep the rules count.

Section 2.3. `write_rationales` asks and re-asks; `problems` is the rule book, which repair (Section 2.5) shares.
"""

from dart.distill.acceptance import problems
from dart.distill.rationales import write_rationales
from dart.distill.sentences import count_sentences

__all__ = ["count_sentences", "problems", "write_rationales"]
