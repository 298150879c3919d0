"""Lambda is chosen by the harmonic mean of accuracy and kept safety, ties to the smallest."""

from __future__ import annotations

import pytest

from dart.ablations.lambda_selection import LambdaResult, harmonic_mean, lambda_result, select_lambda
from dart.core.errors import DataError
from dart.core.records import Generation, Item


def result(weight: float, accuracy: float, mean: float, median: float = 0.1) -> LambdaResult:
    return LambdaResult(weight=weight, accuracy=accuracy, equal_accuracy=0.5, median=median, mean=mean, q95=0.4)


PLAIN = result(0.0, 0.6, 0.04)


def test_the_harmonic_mean_by_hand() -> None:
    assert harmonic_mean(PLAIN, PLAIN) == pytest.approx(2 * 0.6 * 0.5 / 1.1)
    assert harmonic_mean(result(0.1, 0.5, 0.01), PLAIN) == pytest.approx(2 * 0.5 * 0.8 / 1.3)  # .04 / (.01 + .04)
    assert harmonic_mean(result(0.1, 0.0, 0.01), PLAIN) == 0.0
    assert harmonic_mean(result(0.1, 0.5, 0.0), result(0.0, 0.5, 0.0)) == pytest.approx(0.5)  # nothing to gain


def test_the_best_balance_is_chosen_and_not_an_end() -> None:
    """The shape of Table 20: both fall as lambda grows. Its published ends (K.2.1): 0.1 beats 0.5."""
    results = [result(0.5, 0.456, 3.42e-5), result(0.01, 0.515, 3.9e-5), result(0.1, 0.508, 3.72e-5)]
    assert select_lambda(results, result(0.0, 0.52, 3.95e-5)) == 0.1


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_the_scale_of_the_classifier_does_not_matter(scale: float) -> None:
    results = [result(0.01, 0.70, 0.04 * scale), result(0.1, 0.66, 0.02 * scale), result(0.5, 0.30, 0.015 * scale)]
    assert select_lambda(results, result(0.0, 0.7, 0.042 * scale)) == 0.1


def test_what_toxicity_means_is_a_parameter() -> None:
    results = [result(0.1, 0.6, 0.04, median=0.01), result(0.5, 0.6, 0.01, median=0.1)]
    assert select_lambda(results, PLAIN, by="mean") == 0.5
    assert select_lambda(results, PLAIN, by="median") == 0.1


def test_of_equal_ones_the_smallest_is_chosen_in_any_order() -> None:
    results = [result(weight, 0.6, 0.04) for weight in (0.2, 0.01, 0.5)]
    assert select_lambda(results, PLAIN) == select_lambda(results[::-1], PLAIN) == 0.01


def test_nothing_or_a_lambda_twice_is_no_choice() -> None:
    for results in ([], [PLAIN, PLAIN]):
        with pytest.raises(DataError, match="each lambda"):
            select_lambda(results, PLAIN)


def answer(item: str, prediction: str | None, toxicity: float | None) -> Generation:
    return Generation.model_validate({
        "item_id": item, "variant": "arm", "text": "", "rationale": "", "prediction": prediction, "new_tokens": 1,
        "model": "m", "revision": "r", "prompt_hash": "h", "toxicity": toxicity,
    })  # fmt: skip


def test_a_row_counts_unparsed_answers_as_wrong_and_scores_them() -> None:
    items = [
        Item(id=f"D1-{number}", benchmark="D1", condition="EQUAL" if number else "DIFF",
             gold="NO" if number else "YES", prompt="", scenario=str(number))
        for number in range(3)
    ]  # fmt: skip
    answers = [answer("D1-0", "YES", 0.1), answer("D1-1", "NO", 0.2), answer("D1-2", None, 0.6)]
    found = lambda_result(0.2, items, answers)
    assert found == LambdaResult(weight=0.2, accuracy=2 / 3, equal_accuracy=0.5, median=0.2, mean=0.3, q95=found.q95)
    assert found.q95 == pytest.approx(0.56)
    with pytest.raises(DataError, match="in order"):
        lambda_result(0.2, items, answers[::-1])
    with pytest.raises(DataError, match="no toxicity score"):
        lambda_result(0.2, items, [*answers[:2], answer("D1-2", None, None)])
    with pytest.raises(DataError, match="EQUAL"):
        lambda_result(0.2, items[:1], answers[:1])
