"""Predicted labels: what the teacher concludes when asked as a student is, and nothing where it concludes nothing."""

from dart.core.records import Item
from dart.distill.labels import predict_labels
from dart.prompts.classification import inference
from tests.support.chat_client import FakeClient


def item(number, gold="YES"):
    return Item(
        id=f"N4-{number}", benchmark="N4", condition="DIFF" if gold == "YES" else "EQUAL", gold=gold,
        prompt=f"Q {number}?", scenario=str(number),
    )  # fmt: skip


def test_the_label_is_the_teachers_whatever_the_gold_one_is(tmp_path):
    answers = {"Q 1?": "It differs. So be it.\nConclusion: NO", "Q 2?": "Conclusion: **yes**", "Q 3?": "I cannot say."}
    talk = FakeClient(lambda messages: answers[messages[1]["content"].rpartition("Prompt: ")[2]], tmp_path)
    items = [item(2), item(1), item(3)]
    labels, outcome = predict_labels(items, talk.client)
    outcome.require_complete("arm")
    assert list(labels.items()) == [("N4-2", "YES"), ("N4-1", "NO")]
    assert outcome.answers["N4-3"].value is None
    sent = sorted((body["messages"] for body in talk.requests), key=str)
    assert sent == [inference(f"Q {number}?") for number in (1, 2, 3)], "asked as a student, once each"
    assert predict_labels([item(1, "NO")], talk.client)[0] == {"N4-1": "NO"}
    assert len(talk.requests) == 3, "another gold label is the same question"


def test_a_failed_request_is_a_failure_and_no_label(tmp_path):
    talk = FakeClient(lambda messages: 500 if "Q 2?" in messages[1]["content"] else "Conclusion: NO", tmp_path)
    labels, outcome = predict_labels([item(1), item(2)], talk.client)
    assert labels == {"N4-1": "NO"}
    assert set(outcome.failures) == {"N4-2"}
