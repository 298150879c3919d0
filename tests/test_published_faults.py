"""Faults of the published implementation, and the tests here that would catch them again.

The tests stand beside what they test; this file only refuses that one of them disappears unnoticed.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
# Fault -> the tests that a return of it would fail. 12 (RealToxicityPrompts sent as a Python dict) is not on this path.
GUARDS: dict[int, list[str]] = {
    1: ["repair/test_mix.py::test_uniform_and_weighted_are_different_counted_training_sets"],
    2: [
        "harm/test_screen.py::test_pool_shrinks_as_tau_grows",
        "test_pipeline.py::test_a_threshold_sweep_runs_the_audit_and_what_follows_and_nothing_before",
    ],
    3: ["harm/test_classifier.py::test_nothate_is_not_hate"],
    4: [
        "harm/test_audit.py::test_a_failed_judgement_is_a_failure_and_no_record",
        "harm/test_audit.py::test_the_next_run_asks_only_for_what_is_missing",
        "harm/test_judge.py::test_what_is_no_verdict_is_rejected_by_name",
    ],
    5: ["chat/test_secrets.py::test_a_missing_key_stops_before_anything_is_sent"],
    6: ["repair/test_targets.py::test_a_target_as_toxic_as_before_is_refused_and_asked_again_with_the_reason"],
    7: [
        "student/test_generation.py::test_greedy_decoding_is_that_of_transformers",
        "test_pipeline.py::test_two_runs_from_scratch_give_the_same_outs",
    ],
    8: [
        "student/test_template.py::test_training_and_inference_have_the_same_prompt_ids",
        "student/test_template.py::test_exactly_one_bos_where_the_family_has_one",
        "student/test_template.py::test_a_system_text_is_kept_whether_or_not_there_is_a_system_role",
    ],
    9: ["prompts/test_answer_format.py::test_an_echo_of_both_labels_is_unparsed_and_stays_in_the_rationale"],
    10: ["core/test_params.py::test_all_problems_are_listed_at_once"],
    11: [
        "stats/test_paired.py::test_rank_tests_agree_with_scipy_and_with_counting",
        "stats/test_paired.py::test_corrections",
        "harm/test_classifier.py::test_a_text_of_more_than_512_characters_is_read_whole",
    ],
    13: ["suite/test_unpickle.py::test_os_system_is_refused_by_name_and_not_run"],
    16: ["distill/test_sentences.py::test_counts"],
}


@pytest.mark.parametrize("fault", sorted(GUARDS))
def test_every_fault_has_its_guards(fault: int) -> None:
    for guard in GUARDS[fault]:
        file, name = guard.split("::")
        functions = {node.name for node in ast.walk(ast.parse((TESTS / file).read_text(encoding="utf-8")))
                     if isinstance(node, ast.FunctionDef)}  # fmt: skip
        assert name in functions, f"{file} has no test {name}"
