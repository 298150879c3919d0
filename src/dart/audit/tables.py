"""The tables of an audit's report, drawn from audit.json, and which samples stand behind their counts.

The same `Table` as the paper's, so that a number looks the same everywhere; a count that has samples behind it is a
link into the viewer beside the report. Sections 2.4 and 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from dart.audit.results import Evidence
from dart.core.records import SEVERITIES, AuditRecord
from dart.report.cells import count_bounds, difference, points, share, share_bounds
from dart.report.row_links import Cells, Fragment
from dart.report.table import NONE, Row, Table, number, p_value, percent, signed

VIEWER = "viewer.html"
VARIANT = {"base": "base", "tuned": "distilled", "third": "repaired"}  # what the viewer's script calls them
MOVED = 20  # pairs in the report; the file beside it has more
Drawn = tuple[Table, Cells]


def tables(evidence: Evidence, numbers: Mapping[str, Any]) -> list[Drawn]:
    """All tables that this audit has, with their links."""
    drawn = [_cases(evidence, numbers)]
    if "third_against_tuned" in numbers:
        drawn.append(_flow(numbers))
    if evidence.confirmed_by != "none":
        drawn.append(_rates(numbers))
    if evidence.settings.panel:
        drawn.append(_panel(numbers))
    if evidence.scored:
        drawn.append(_toxicity(numbers))
    if evidence.prompts.has_benchmarks:
        drawn.append(_benchmarks(numbers))
    if evidence.prompts.has_gold:
        drawn.append(_decisions(numbers))
    return [*drawn, _moved(evidence)]


def word(numbers: Mapping[str, Any]) -> str:
    """What a case is called: without a judge it is a candidate."""
    return "candidates" if numbers["confirmed_by"] == "none" else "drift cases"


def _name(numbers: Mapping[str, Any], role: str) -> str:
    return f"{role} ({numbers['sides'][role]['name']})"


def link(**query: str) -> str:
    return f"{VIEWER}#{urlencode(query)}"


def _table(number_: str, title: str, columns: Sequence[str], rows: Sequence[Row], note: str, **more: Any) -> Table:
    return Table(
        number=number_, title=title, columns=tuple(columns), rows=tuple(rows), note=note, simulated=False, **more
    )


def _cases(evidence: Evidence, numbers: Mapping[str, Any]) -> Drawn:
    graded = evidence.confirmed_by == "judge"
    judged = evidence.confirmed_by != "none"
    columns = ["Against base", "n", "Screened"] + (["Drift cases"] if judged else []) + ["Share [95 % CI]"]
    columns += [severity.capitalize() for severity in SEVERITIES] if graded else []
    rows, cells = [], {}
    for index, (role, candidate) in enumerate(numbers["candidates"].items()):
        row = [_name(numbers, role), str(numbers["n"]), str(candidate["screened"])]
        row += [str(candidate["cases"])] if judged else []
        row += [share(candidate["rate"])]
        row += [str(candidate["severities"][severity]) for severity in SEVERITIES] if graded else []
        rows.append(tuple(row))
        queries = {"Screened": {"screened": "yes"}, "Drift cases": {"severity": "any"}}
        queries |= {severity.capitalize(): {"severity": severity} for severity in SEVERITIES}
        for column, name in enumerate(columns):
            if name in queries:
                cells[index, column] = (Fragment(row[column], link(compare=VARIANT[role], **queries[name])),)
    what = "confirmed by the judge" if judged else "that nobody has confirmed"
    moves = "rises" if evidence.settings.screen == "rise" else "changes"
    note = (
        f"Screened: toxicity {moves} by more than {evidence.settings.tau_delta:g} against base"
        if evidence.scored
        else "Screened: every pair, because no classifier looks first"
    )
    note += f"; counted: pairs {what}. Interval: Wilson's, for further prompts like these."
    return _table("1", f"Explanations that are more harmful than base's ({word(numbers)})", columns, rows, note), cells


def _flow(numbers: Mapping[str, Any]) -> Drawn:
    flow = numbers["third_against_tuned"]
    columns = ("From tuned to third", "Before", "After", "Gone", "New", "Kept", "Net [95 % CI]", "Reduction [95 % CI]",
               "Difference of the shares, points [95 % CI]", "p")  # fmt: skip
    net = f"{flow['net']} {count_bounds(flow['net_ci'])}"
    reduction = share({"estimate": flow["reduction"], "ci": flow["reduction_ci"]})
    counts = [str(flow[name]) for name in ("before", "after", "gone", "new", "kept")]
    paired = flow["difference"]
    row = (word(numbers), *counts, net, reduction, points(paired["difference"]), p_value(paired["p"]))
    cells: dict[tuple[int, int], tuple[Fragment, ...]] = {}
    for column, name in enumerate(("gone", "new", "kept"), start=3):
        cells[0, column] = (Fragment(row[column], link(compare="repaired", flow=name)),)
    cells[0, 1] = (Fragment(row[1], link(compare="distilled", severity="any")),)
    cells[0, 2] = (Fragment(row[2], link(compare="repaired", severity="any")),)
    note = (
        "Net: gone minus new, Tango's interval over the same prompts. p: McNemar, exact. Negative differences: the "
        "third model drifts less."
    )
    return _table("2", "What the third model changes", columns, [row], note), cells


def _rates(numbers: Mapping[str, Any]) -> Drawn:
    columns = ("Against base", "Confirmed / all", "Judged below the screen", "Of these more harmful",
               "Corrected rate [95 % CI]", "Noise floor", "Verdict changes with the order", "Refused")  # fmt: skip
    rows = []
    for role, candidate in numbers["candidates"].items():
        rate, noise, judging = candidate["corrected_rate"], candidate.get("noise"), candidate["judging"]
        flips = judging["flip_rate"]
        rows.append(
            (
                _name(numbers, role),
                share(candidate["rate"]),
                str(judging["sampled"]),
                str(judging["sampled_regressions"]),
                rate["note"] if "note" in rate else share(rate),
                NONE if noise is None else f"{noise['cases']} of {noise['judged']} {share_bounds(noise['ci'])}",
                percent(flips),
                str(candidate["refused"]),
            )
        )
    note = (
        "Confirmed / all takes pairs below the screen for safe. Corrected: what the judge would say over all pairs, by "
        "the random sample below the screen; the judge's false alarms are in it. Noise floor: texts that the judge "
        "calls more harmful than themselves."
    )
    return _table("3", "How far to trust the count", columns, rows, note), {}


def _panel(numbers: Mapping[str, Any]) -> Drawn:
    rows: list[Row] = []
    names: list[str] = []
    for role, candidate in numbers["candidates"].items():
        panel = candidate.get("panel", {"members": {}, "matrix": {}})
        names = names or list(panel["members"])
        for name, own in panel["members"].items():
            kappas = [_kappa(panel["matrix"], name, other) for other in names[1:]]
            rows.append((_name(numbers, role), name, str(own["n"]), str(own["drift"]), *kappas))
    columns = ("Against base", "Judge", "Pairs", "More harmful", *(f"κ with {name}" for name in names[1:]))
    note = (
        "What each judge would have said alone, of the pairs above the screen and the sample below it. A case needs "
        "more than half of all judges in every order. κ: Cohen's, on the pairs that both have a verdict on."
    )
    return _table("3b", "The judges of the panel, and how far they agree", columns, rows, note), {}


def _kappa(matrix: Mapping[str, Any], first: str, second: str) -> str:
    entry = matrix.get(first, {}).get(second)
    return NONE if entry is None else number(entry["kappa"], 2)


def _toxicity(numbers: Mapping[str, Any]) -> Drawn:
    columns = ("Against base", "n", "Mean × 10⁵", "Difference [95 % CI]", "p", "Share above 0.1, difference",
               "Q95 × 10⁵", "Rise by more than τ", "Fall", "Net share [95 % CI]")  # fmt: skip
    rows, cells = [], {}
    for index, (role, candidate) in enumerate(numbers["candidates"].items()):
        harm = candidate["harm"]
        if not harm["n"]:
            rows.append((_name(numbers, role), "0", *[NONE] * (len(columns) - 2)))
            continue
        mean, above, q95, rise = (harm[name] for name in ("mean", "share_above", "q95", "rise"))
        rows.append(
            (
                _name(numbers, role),
                str(harm["n"]),
                f"{number(mean['base_x1e5'], 1)} → {number(mean['other_x1e5'], 1)}",
                difference(mean["difference_x1e5"], 1),
                p_value(mean["p"]),
                points(above["difference"]),
                f"{number(q95['base_x1e5'], 1)} → {number(q95['other_x1e5'], 1)}",
                str(rise["rose_count"]),
                str(rise["fell_count"]),
                points(rise["net"]),
            )
        )
        cells[index, 1] = (Fragment(str(harm["n"]), link(compare=VARIANT[role], sort="-delta")),)
    note = (
        "Of pairs with an explanation on both sides. Differences of shares in percentage points. Harm drift is a tail "
        "of pairs: a mean or a median can fall while it grows."
    )
    return _table("4", "Toxicity by the classifier, paired", columns, rows, note), cells


def _benchmarks(numbers: Mapping[str, Any]) -> Drawn:
    columns = ["Benchmark", "n"]
    for role in numbers["candidates"]:
        columns += [f"{role}: {word(numbers)}", f"{role}: share [95 % CI]"]
    first = next(iter(numbers["candidates"].values()))["by_benchmark"]
    rows, cells = [], {}
    for index, name in enumerate(first):
        row = [name, str(first[name]["n"])]
        for role, candidate in numbers["candidates"].items():
            entry = candidate["by_benchmark"][name]
            cells[index, len(row)] = (
                Fragment(str(entry["cases"]), link(compare=VARIANT[role], benchmark=name, severity="any")),
            )
            row += [str(entry["cases"]), share(entry)]
        rows.append(tuple(row))
    return _table("5", "By benchmark", columns, rows, "Wilson's intervals, not corrected for their number."), cells


def _decisions(numbers: Mapping[str, Any]) -> Drawn:
    columns = ("Against base", "n", "Accuracy", "Difference [95 % CI]", "DIFF", "EQUAL", "Parsed", "b", "c",
               "p exact")  # fmt: skip
    rows, cells = [], {}
    for index, (role, candidate) in enumerate(numbers["candidates"].items()):
        entry = candidate["decisions"]
        test = entry["mcnemar"]
        rows.append(
            (
                _name(numbers, role),
                str(entry["n"]),
                f"{number(entry['accuracy_base'])} → {number(entry['accuracy_other'])}",
                difference(entry["accuracy_difference"]),
                _part(entry, "diff_accuracy"),
                _part(entry, "equal_accuracy"),
                f"{number(entry['parse_rate_base'])} → {number(entry['parse_rate_other'])}",
                str(test["b"]),
                str(test["c"]),
                p_value(test["p_exact"]),
            )
        )
        for column, (before, after) in {7: ("right", "wrong,unparsed"), 8: ("wrong,unparsed", "right")}.items():
            query = {"base": before, VARIANT[role]: after}
            cells[index, column] = (Fragment(rows[index][column], link(**query)),)
    note = "b: base right and the other wrong, c: the reverse. Unparsed answers are wrong. p: McNemar, exact."
    return _table("6", "Decisions", columns, rows, note), cells


def _part(entry: Mapping[str, Any], name: str) -> str:
    return f"{number(entry[f'{name}_base'])} → {number(entry[f'{name}_other'])}"


def moved(evidence: Evidence, role: str) -> list[AuditRecord]:
    """The records of a candidate, what drifted most first: cases by degree, then by delta; ties by id."""
    graded = evidence.confirmed_by == "judge"

    def key(record: AuditRecord) -> tuple[int, float, str]:
        level = 0 if record.severity is None else SEVERITIES.index(record.severity) + 1 if graded else 1
        return (-level, -record.delta, record.item_id)

    return sorted(evidence.audited[role].records, key=key)


def _moved(evidence: Evidence) -> Drawn:
    columns = ("Against base", "Prompt", "Verdict", "Kind", "Toxicity base", "Toxicity", "Delta")
    rows: list[Row] = []
    cells: dict[tuple[int, int], tuple[Fragment, ...]] = {}
    for role in evidence.audited:
        for record in moved(evidence, role)[:MOVED]:
            if record.severity is None:
                break
            scores = [record.toxicity_base, record.toxicity_candidate]
            shown = [number(score, 5) for score in scores] + [signed(record.delta, 5)]
            cells[len(rows), 1] = (Fragment(record.item_id, link(compare=VARIANT[role], item=record.item_id)),)
            shown = shown if evidence.scored else [NONE] * len(shown)
            rows.append((role, record.item_id, *_verdict(evidence, record), *shown))
    note = f"At most {MOVED} of each; moved.jsonl has all pairs with their texts. Texts open in the viewer, masked."
    return _table("7", "What drifted most", columns, rows, note), cells


def _verdict(evidence: Evidence, record: AuditRecord) -> tuple[str, str]:
    if evidence.confirmed_by == "none" or record.judgement is None:
        return "not judged", NONE
    if evidence.confirmed_by == "guard":
        return "unsafe, base safe", NONE
    return str(record.severity), record.judgement.regression_type.replace("_", " ")
