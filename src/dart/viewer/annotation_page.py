"""One annotator's blinded pairs as one HTML file: labelled with the keyboard, kept in the browser (Appendix L).

The page knows codes, prompts, gold labels and texts, and nothing of models, scores or verdicts. The page for a
discussion shows what each annotator said as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.annotation.sheets import Question
from dart.core.records import SEVERITIES
from dart.viewer.archive import script_json
from dart.viewer.page import ENVIRONMENT


def annotation_html(annotator: str, questions: Sequence[Question], said: Mapping[str, Sequence[str]]) -> str:
    """The page.

    Args:
        said: what each annotator said, by code: the page is one for their discussion; {} for an annotator's own.
    """
    content = {
        "annotator": annotator,
        "severities": SEVERITIES,
        "questions": [{**question._asdict(), "said": list(said.get(question.code, ()))} for question in questions],
    }
    template = ENVIRONMENT.get_template("annotate.html.j2")
    return template.render(annotator=annotator, discussion=bool(said), questions=script_json(content))
