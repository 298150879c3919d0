"""The mutants: one fault of the method each, and the tests that must notice it.

`old` occurs exactly once in the file; a mutant whose text has gone is reported as stale and has to be renewed.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A textual edit of one file, and the tests that fail with it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _in(file: str, tests: str, *edits: tuple[str, str, str]) -> list[Mutant]:
    return [Mutant(name, file, old, new, tuple(tests.split())) for name, old, new in edits]


PROMPTS = [
    *_in(
        "src/dart/harm/judge.py", "tests/harm/test_judge.py tests/harm/test_judge_task.py tests/harm/test_audit.py",
        ("judge: told the candidate's prediction", "item.gold if labels is None", "candidate.prediction if labels is None"),
        ("judge: base and candidate exchanged", "            base.rationale,\n            base.prediction,\n            candidate.rationale,\n            candidate.prediction,", "            candidate.rationale,\n            candidate.prediction,\n            base.rationale,\n            base.prediction,"),
        ("judge: reads the conclusion line", "            candidate.rationale,\n", "            candidate.text,\n"),
        ("judge: swapped verdict not turned back", "check=_parse_swapped if attempt.swapped else parse_verdict", "check=parse_verdict"),
        ("judge: votes share one answer", "repeat=attempt.vote,", "repeat=0,"),
        ("judge: one order suffices", "vote.is_regression == all(majorities)]\n    if all(majorities):", "vote.is_regression == any(majorities)]\n    if any(majorities):"),
        ("judge: half of the votes is a majority", "* 2 > len(votes)", "* 2 >= len(votes) - 1"),
        ("judge: the gravest severity", "ranked[(len(ranked) - 1) // 2]", "ranked[-1]"),
        ("judge: a regression without severity", 'if verdict.is_regression and value == "none":', 'if False and value == "none":'),
    ),
    *_in(
        "src/dart/prompts/judging.py", "tests/prompts/test_judging.py",
        ("judge prompt: swapped texts, names as before", "    if swapped:\n        a_text, a_prediction, b_text, b_prediction = b_text, b_prediction, a_text, a_prediction\n", ""),
        ("judge prompt: a fence that a text may hold", "if not any(code in text for text in texts):", "if True:"),
        ("judge prompt: no sense of the label", "(f\"{GOLD_HEADING}{gold}\", labelled + sense)", "(f\"{GOLD_HEADING}{gold}\", labelled + NEUTRAL_SENSE)"),
        ("judge prompt: the label in the unlabelled one", "(JUDGE_SYSTEM, SWAPPED_SYSTEM) if gold else (UNLABELLED_SYSTEM, SWAPPED_UNLABELLED_SYSTEM)", "(JUDGE_SYSTEM, SWAPPED_SYSTEM)"),
    ),
    *_in(
        "src/dart/prompts/classification.py", "tests/prompts/test_verbatim.py",
        ("E.1: harm not forbidden", '    "Do NOT repeat hateful, violent, or toxic content from the prompt. " + _FINISH', '    "" + _FINISH'),
        ("E.2: not safe", '"You are writing a SAFE brief explanation', '"You are writing a brief explanation'),
        ("E.3: the label in the student's prompt", '"Write the analysis, then output the conclusion line." + PROMPT_MARK', '"Write the analysis, then output the conclusion line (YES)." + PROMPT_MARK'),
        ("short: as long as the others", '"1–2 sentences")', '"2–4 sentences")'),
    ),
    *_in(
        "src/dart/prompts/explanation_policy.py", "tests/prompts/test_verbatim.py tests/policy/test_selection.py",
        ("policy: variants exchanged", "POLICY_SYSTEM[decision]", 'POLICY_SYSTEM["NO" if decision == "YES" else "YES"]'),
        ("policy: harmful premise ignored", "    if harmful_premise:\n", "    if False:\n"),
    ),
    *_in(
        "src/dart/prompts/answer_format.py", "tests/prompts/test_answer_format.py",
        ("parser: first conclusion decides", "            prediction = label\n", "            prediction = prediction or label\n"),
        ("parser: conclusion stays in the rationale", "            prediction = label\n", "            prediction = label\n            rationale.append(line)\n"),
        ("parser: anything after the label", "(yes|no)[.!。]?{_DECORATION}\"", "(yes|no).*\""),
    ),
]  # fmt: skip

MASKS_AND_TEMPLATES = [
    *_in(
        "src/dart/student/trainer.py", "tests/student/test_train.py::test_a_batch_supervises_the_answers_alone",
        ("loss: the prompt is supervised", "[IGNORED] * row.n_prompt + row.ids[row.n_prompt :]", "row.ids[: row.n_prompt] + row.ids[row.n_prompt :]"),
        ("loss: padding is supervised", "row.ids[row.n_prompt :] + [IGNORED] * (longest - len(row.ids))", "row.ids[row.n_prompt :] + [self.pad_id] * (longest - len(row.ids))"),
    ),
    *_in(
        "src/dart/student/trainer.py", "tests/student/test_train.py::test_the_first_loss_is_the_mean_over_the_answers_tokens",
        ("loss: mean of the rows' means", 'targets[self._supervised], reduction="sum")', 'targets[self._supervised], reduction="mean")'),
        ("loss: not shifted", "inputs[0][:, :-1][self._supervised]", "inputs[0][:, 1:][self._supervised]"),
    ),
    *_in(
        "src/dart/student/trainer.py", "tests/student/test_training_settings.py",
        ("order: the same in every epoch", 'seed_for(self.seed, "order", self.epoch)', 'seed_for(self.seed, "order")'),
        ("order: the same for every seed", 'seed_for(self.seed, "order", self.epoch)', 'seed_for("order", self.epoch)'),
    ),
    *_in(
        "src/dart/student/train.py", "tests/student/test_training_settings.py",
        ("train: constant learning rate", '"lr_scheduler_type": "cosine"', '"lr_scheduler_type": "constant"'),
        ("train: no warm-up", "math.ceil(total * training.warmup_ratio)", "0"),
        ("train: dropout by no seed", 'seed_for(run.seed, "dropout")', "0"),
        ("train: control ignores its steps", "total = run.steps or run.spec.epochs_of", "total = run.spec.epochs_of"),
    ),
    *_in(
        "src/dart/student/train.py", "tests/student/test_training_settings.py",
        ("train: order by no seed", 'order_seed=seed_for(run.seed, "rows")', "order_seed=0"),
    ),
    *_in(
        "src/dart/student/train.py", "tests/student/test_train.py::test_copies_of_a_row_count tests/student/test_train.py::test_an_adapter_is_continued_and_not_started_anew",
        ("train: copies of a row count once", "        encoded.append(by_content[content])\n", "            encoded.append(by_content[content])\n"),
        ("train: Stage III from a new adapter", "    if start_from is None:\n        return adapter.attach", "    if True:\n        return adapter.attach"),
    ),
    *_in(
        "src/dart/student/template.py", "tests/student/test_template.py",
        ("template: two BOS", "        while leading < len(ids) and ids[leading] == self._bos:\n            leading += 1\n", ""),
        ("template: no end of turn", "return answer[: answer.index(self.end_of_turn) + 1]", "return answer[: answer.index(self.end_of_turn)]"),
        ("template: a long prompt loses its end", "prompt[len(prompt) - room + len(bos) :]", "prompt[len(bos) : room]"),
        ("template: control tokens of a question", "sanitize_control_tokens=True", "sanitize_control_tokens=False"),
        ("template: the day of the run", "            date_string=DATE,\n", ""),
        ("template: system text dropped", '                pending.append(message["content"])', "                pass"),
        ("template: nothing is probed", "        probe_template(tokenizer, DATE)\n", ""),
    ),
    *_in(
        "src/dart/student/toxicity.py", "tests/student/test_toxicity.py::test_a_real_students_gradient_has_the_exact_one_in_its_interval tests/student/test_toxicity.py::test_a_share_of_the_rows_on_some_steps_weighs_as_much_in_expectation",
        ("toxreg: lambda without its sign", "estimate - estimate.detach()", "estimate.detach() - estimate"),
        ("toxreg: the same rows at every step", '"toxreg-row", self.seed, step, digest', '"toxreg-row", self.seed, digest'),
    ),
]  # fmt: skip

SCREENS = [
    *_in(
        "src/dart/harm/screen.py", "tests/harm/test_screen.py tests/harm/test_audit.py",
        ("screen: equal passes", "> tau_delta\n", ">= tau_delta\n"),
        ("screen: turned round", "toxicity_of(candidate) - toxicity_of(base)", "toxicity_of(base) - toxicity_of(candidate)"),
        ("screen: always two-sided", 'delta if screen == "rise" else abs(delta)', "abs(delta)"),
        ("screen: no score is 0", "    if toxicity is None:\n        raise", "    if toxicity is None:\n        return 0.0\n        raise"),
    ),
    *_in(
        "src/dart/harm/guards.py", "tests/harm/test_guards.py",
        ("guards: whatever base said", "return self.candidate_unsafe and not self.base_unsafe", "return self.candidate_unsafe"),
        ("guards: no reading is safe", "if self.base_unsafe is None or self.candidate_unsafe is None:\n            return None", "if self.base_unsafe is None or self.candidate_unsafe is None:\n            return False"),
        ("guards: an answer not judged is safe", ' or values["harmful response"] == "n/a":', ":"),
        ("guards: the request is judged", 'return GuardReading(values["harmful response"] == "yes")', 'return GuardReading(values["harmful request"] == "yes")'),
    ),
    *_in(
        "src/dart/harm/audit.py", "tests/harm/test_audit.py",
        ("audit: no threshold", "passes_screen(delta, tau_delta, protocol.screen)", "passes_screen(delta, SCREEN, protocol.screen)".replace("SCREEN", "-2.0")),
        ("audit: sampled pairs are repaired", "judgement is not None and screened else", "judgement is not None else"),
        ("audit: an unread verdict is no drift", "            continue\n        records.append", "            verdicts = []\n        records.append"),
        ("audit: the sample by one draw for all", 'unit_interval(seed, "unscreened", item.id)', 'unit_interval(seed, "unscreened")'),
    ),
    *_in(
        "src/dart/harm/classifier.py", "tests/harm/test_classifier.py tests/harm/test_scores.py",
        ("H: of the whole text", "[generation.rationale for generation in generations]", "[generation.text for generation in generations]"),
        ("H: first class that contains the name", "if other == label]", "if label in other]"),
        ("H: texts cut before they are scored", "[generation.rationale for generation in generations]", "[generation.rationale[:512] for generation in generations]"),
        ("H: padding is read", "[[1] * len(row) + [0] * (longest - len(row)) for row in batch]", "[[1] * longest for row in batch]"),
        ("H: a softmax for independent classes", "logits.sigmoid() if self._independent else", "logits.softmax(-1) if self._independent else"),
    ),
    *_in(
        "src/dart/policy/selection.py", "tests/policy/test_selection.py",
        ("premise: by keywords alone", "harmful=bool(words) or toxicity > policy.harmful_above", "harmful=bool(words)"),
        ("premise: parts of words", r'rf"(?<!\w){re.escape(word)}(?!\w)"', "re.escape(word)"),
        ("policy: one pass", '        case "two_pass":\n            return Choice(_decision(first, policy), harmful)', '        case "two_pass":\n            return Choice(None, harmful)'),
        ("policy: the oracle asks the student", "return Choice(item.gold, harmful)", "return Choice(first, harmful)"),
    ),
    *_in(
        "src/dart/distill/acceptance.py", "tests/distill/test_acceptance.py",
        ("distill: any length", "if not rules.min_sentences <= sentences <= rules.max_sentences:", "if False:"),
        ("distill: quotations", "if quotes(rationale, prompt, rules.quote_window):", "if False:"),
        ("distill: quotations in another case", "text, prompt = _normalised(text), _normalised(prompt)", "text, prompt = text, prompt"),
    ),
    *_in(
        "src/dart/distill/rows.py", "tests/distill tests/repair/test_mix.py",
        ("distill: rejected rationales are trained on", "        if rationale.accepted:\n", "        if True:\n"),
        ("distill: rationales of the wrong label", "if gold and rationale.label != item.gold:", "if False:"),
    ),
]  # fmt: skip

WEIGHTS = [
    *_in(
        "src/dart/repair/mix.py", "tests/repair/test_mix.py",
        ("weights: every target once", "range(1, copies + 1)", "range(1, 2)"),
        ("weights: one copy too few", "range(1, copies + 1)", "range(1, copies)"),
        ("weights: rejected targets", "        if not target.accepted:\n            continue\n", ""),
        ("weights: no rehearsal", "[*distillation_rows(rationales, items_by_id, gold), *repair_copies", "[*repair_copies"),
    ),
    *_in(
        "src/dart/repair/targets.py", "tests/repair/test_targets.py",
        ("targets: as toxic as before", "if not toxicity < case.toxicity_distilled:", "if not toxicity <= case.toxicity_distilled:"),
        ("targets: less toxic than base", "if not toxicity < case.toxicity_distilled:", "if not toxicity < case.toxicity_base:"),
        ("targets: no filter", "        accepted=not broken,\n", "        accepted=True,\n"),
        ("targets: the label of the prompt counts as right", "parse(target.text).prediction == gold", "parse(target.text).prediction is not None"),
        ("targets: cases without drift", "        if record.severity is None:\n            continue\n", "        if record.judgement is None:\n            continue\n"),
    ),
    *_in(
        "src/dart/repair/recipes.py", "tests/repair/test_recipes.py",
        ("recipes: mended keeps the harm", '{"text": safe[rationale.item_id]}', "{}"),
        ("recipes: cleared keeps the harm", "if rationale.item_id not in drifted]\n\n\ndef _mended", "]\n\n\ndef _mended"),
    ),
    *_in(
        "src/dart/ablations/perturbations.py", "tests/ablations/test_perturbations.py",
        ("noise: up is down", 'step = 1 if noise.kind == "up" else -1', 'step = -1 if noise.kind == "up" else 1'),
        ("noise: of every target", "< noise.share\n", "< 2\n"),
        ("sham: of the drifted pairs", "record.severity is None and not record.unjudged]", "record.severity is not None]"),
        ("sham: of pairs without a verdict", "record.severity is None and not record.unjudged]", "record.severity is None]"),
        ("halves: both the same", 'return first if which == "first" else', "return first if True else"),
    ),
    *_in(
        "src/dart/ablations/run.py", "tests/ablations/test_run.py",
        ("folds: trained on the fold that is held out", "if folds[rationale.item_id] != fold]", "if folds[rationale.item_id] == fold]"),
        ("folds: trained on all items", "if folds[rationale.item_id] != fold]", "]"),
        ("folds: answered by the training folds", "if folds[item.id] == fold]", "if folds[item.id] != fold]"),
        ("ranks: alpha stays", "max(1, recipe.alpha * change.rank // recipe.r)", "recipe.alpha"),
        ("arms: own weights ignored", "change.severity_weights or weights", "weights"),
    ),
]  # fmt: skip

STATISTICS = [
    *_in(
        "src/dart/stats/paired.py", "tests/stats/test_paired.py",
        ("McNemar: b and c exchanged", "return int(table[base & ~other].sum()), int(table[~base & other].sum())", "return int(table[~base & other].sum()), int(table[base & ~other].sum())"),
        ("McNemar: an unparsed answer is right", "right[0, 0] = right[1, 1] = True", "right[:, 2:] = right[0, 0] = right[1, 1] = True"),
        ("effect: sign of the rank-biserial", "scipy_stats.mannwhitneyu(other, base,", "scipy_stats.mannwhitneyu(base, other,"),
        ("tests: no correction", "np.minimum(raw * raw.size, 1.0)]", "np.minimum(raw, 1.0)]"),
        ("tests: Holm without its order", "np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))", "raw[order] * np.arange(raw.size, 0, -1)"),
    ),
    *_in(
        "src/dart/stats/decision.py", "tests/stats/test_decision.py",
        ("accuracy: of parsed answers", "accuracy=_share(right_yes + right_no, total),", "accuracy=_share(right_yes + right_no, parsed),"),
        ("accuracy: EQUAL over parsed answers", "equal_accuracy=_share(right_no, gold_no)", "equal_accuracy=_share(right_no, counts[..., 1, :2].sum(axis=-1))"),
        ("accuracy: DIFF and EQUAL exchanged", "diff_accuracy=_share(right_yes, gold_yes)", "diff_accuracy=_share(right_no, gold_no)"),
        ("F1: of YES alone", "macro_f1=(f1_yes + f1_no) / 2", "macro_f1=f1_yes"),
    ),
    *_in(
        "src/dart/stats/intervals.py", "tests/stats/test_intervals.py tests/stats/test_bootstrap.py",
        ("intervals: 90 % for 95 %", "    tail = (1 - confidence) / 2\n    return _between", "    tail = 1 - confidence\n    return _between"),
        ("BCa: no acceleration", "scale = 1 - acceleration * z", "scale = 1.0"),
    ),
    *_in(
        "src/dart/stats/permutation.py", "tests/stats/test_permutation.py",
        ("permutation: p of 0", "(1 + hits) / (total + 1)", "hits / total"),
        ("permutation: one-sided", "np.abs(values) >= abs(observed)", "values >= observed"),
    ),
    *_in(
        "src/dart/stats/location.py", "tests/stats/test_location.py",
        ("shift: turned round", 'finite(other, "Hodges-Lehmann") - finite(base, "Hodges-Lehmann")', 'finite(base, "Hodges-Lehmann") - finite(other, "Hodges-Lehmann")'),
        ("shift: of independent samples turned round", "(second[:, None] - first[None, :])", "(first[None, :] - second[:, None])"),
    ),
    *_in(
        "src/dart/stats/calibration.py", "tests/stats/test_calibration.py",
        ("calibration: equal is flagged", "flagged = scores > finite(", "flagged = scores >= finite("),
    ),
    *_in(
        "src/dart/stats/drift.py", "tests/stats/test_drift.py",
        ("drift: net for gross", '"repaired_gross": len(before.keys() - after.keys())', '"repaired_gross": len(before) - len(after)'),
        ("drift: new cases are old ones", '"new": len(after.keys() - before.keys())', '"new": len(after.keys() & before.keys())'),
        ("account: net for gross", "len(before.keys() - all_after.keys())", "len(before) - len(after)"),
        ("account: new cases are old ones", "len(after.keys() - all_before.keys())", "len(after.keys() & all_before.keys())"),
        ("account: repair and control exchanged", '"net": _discordant(repaired.keys(), control.keys())', '"net": _discordant(control.keys(), repaired.keys())'),
    ),
    *_in(
        "src/dart/stats/prevalence.py", "tests/stats/test_prevalence.py",
        ("rate: the sample weighs one to one", "_joined([stratum.population for stratum in filled]", "_joined([stratum.sampled for stratum in filled]"),
    ),
    *_in(
        "src/dart/stats/crossed.py", "tests/stats/test_crossed.py",
        ("crossed: items alone", "return self.seeds + self.items", "return self.items"),
        ("crossed: one-sided p", "math.sqrt(spread.variance), 2 * spread.tail(abs(estimate))", "math.sqrt(spread.variance), spread.tail(abs(estimate))"),
        ("crossed: the normal quantile", "float(stdtrit(df, tail))", "float(stdtrit(1e9, tail))"),
    ),
    *_in(
        "src/dart/stats/variance_components.py", "tests/stats/test_variance_components.py",
        ("components: seeds with the residual", "float(ms_seeds - ms_residual) / n_items", "float(ms_seeds) / n_items"),
        ("components: items with the residual", "float(ms_items - ms_residual) / n_seeds", "float(ms_items) / n_seeds"),
    ),
    *_in(
        "src/dart/stats/panel.py", "tests/stats/test_panel.py",
        ("panel: one vote is a majority", "2 * sum(each) > len(each) for", "any(each) for"),
        ("panel: a tie is decided", " if 2 * sum(each) != len(each)}", "}"),
        ("panel: draws count for nobody", "of_judge >= of_annotator, of_annotator >= of_judge", "of_judge > of_annotator, of_annotator > of_judge"),
        ("panel: no correction", 'corrected = false_discovery_control(p_values, method="by")', "corrected = np.array(p_values)"),
    ),
    *_in(
        "src/dart/suite/split.py", "tests/suite/test_split.py",
        ("split: by position", "sorted(items, key=lambda item: digest(seed, item.index))", "list(items)"),
        ("folds: not stratified", "folds[item_id(item)] = len(folds) % split.folds", "folds[item_id(item)] = 0"),
    ),
    *_in(
        "src/dart/metrics/hypotheses.py", "tests/metrics/test_evaluate.py",
        ("hypotheses: each student a family", "raw = [entry[\"p\"] for entry in family]", "raw = [entry[\"p\"] / 2 for entry in family]"),
    ),
]  # fmt: skip

MUTANTS: list[Mutant] = [*PROMPTS, *MASKS_AND_TEMPLATES, *SCREENS, *WEIGHTS, *STATISTICS]
