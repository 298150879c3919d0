"""Labels predicted by the teacher instead of gold labels (Section 2.3, Table 23).

The teacher gets the student's inference prompt (E.3), once: an answer without a conclusion gives no label, because a
re-ask would press for a label that the teacher did not predict.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dart.chat.client import ChatClient
from dart.chat.tasks import Outcome, Rejected, Task
from dart.core.records import Item, Label
from dart.prompts import classification
from dart.prompts.answer_format import parse

log = logging.getLogger(__name__)


def predict_labels(
    items: Sequence[Item], client: ChatClient, may_miss: float = 0.0
) -> tuple[dict[str, Label], Outcome[Label]]:
    """The teacher's label of each item by item id, in the order of `items`; the gold labels are not used.

    An answer that does not parse gives no label: it is in the outcome's answers with value None. Neither does a
    refusal, of which there may be a share of `may_miss`. A failed request is in the outcome's failures.
    """
    outcome = client.ask([label_task(item) for item in items], may_miss=may_miss)
    labels = {key: answer.value for key, answer in outcome.answers.items() if answer.value is not None}
    log.info("predicted labels: %d, and %d answers without one", len(labels), len(outcome.answers) - len(labels))
    return labels, outcome


def label_task(item: Item) -> Task[Label]:
    """Ask the teacher to classify one item, once."""
    return Task(
        key=item.id,
        messages=classification.inference(item.prompt),
        check=_conclusion,
        max_corrections=0,
        required=False,
    )


def _conclusion(text: str) -> Label:
    label = parse(text).prediction
    if label is None:
        raise Rejected("it has no conclusion line")
    return label
