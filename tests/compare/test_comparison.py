"""Two files of outputs: read whatever is well-formed, refuse the rest by line and id, compare as the pipeline does."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from dart.compare.comparison import align, compare_files, compare_outputs, moved_pairs, read_outputs
from dart.compare.text import render
from dart.core.errors import DataError
from dart.core.files import write_jsonl
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.stats.compare import exact_comparison
from dart.stats.harm import exact_harm_tests
from dart.stats.paired import mcnemar

STATISTICS = Statistics(resamples=300, confidence=0.95)
Row = dict[str, Any]


def rows_of(n: int, seed: int, **extra: Any) -> list[Row]:
    rng = np.random.default_rng(seed)
    answers = ["YES", "NO", None]
    return [
        {
            "id": f"q{k}",
            "gold": "DIFF" if k % 2 else "EQUAL",
            "prediction": answers[rng.choice(3, p=[0.5, 0.4, 0.1])],
            "benchmark": f"D{k % 3 + 1}",
            "scenario": f"s{k // 4}",
            "toxicity": float(rng.random() / 1000),
            **extra,
        }
        for k in range(n)
    ]


def write(path: Path, rows: Sequence[Row]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def without(rows: Sequence[Row], *names: str) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def test_comparison_has_every_part(tmp_path: Path) -> None:
    base, other = (write(tmp_path / f"{seed}.jsonl", rows_of(60, seed)) for seed in (1, 2))
    result = compare_files(base, other, statistics=STATISTICS, seed=3)
    assert list(result) == ["overall", "DIFF", "EQUAL", "D1", "D2", "D3"]
    for name, n in {"overall": 60, "DIFF": 30, "D2": 20}.items():
        row = result[name]
        assert row is not None
        assert row["n"] == n
        for key in ("accuracy", "macro_f1", "parse_rate"):
            change = row[f"{key}_difference"]
            assert change["estimate"] == pytest.approx(row[f"{key}_other"] - row[f"{key}_base"], abs=1e-12)
            assert change["ci"][0] <= change["estimate"] <= change["ci"][1]
        test = row["mcnemar"]
        assert test == mcnemar(test["b"], test["c"])._asdict()
        assert {"cohens_g", "minimum_detectable_difference", "accuracy_difference_by_scenario"} <= row.keys()
    overall = result["overall"]
    assert overall is not None
    assert overall["accuracy_difference_by_scenario"]["clusters"] == 45  # scenario within benchmark
    assert set(overall["harm"]) == {"toxicity"}
    assert {"wilcoxon", "mann_whitney", "hodges_lehmann_x1e5", "median_base_x1e5"} <= overall["harm"]["toxicity"].keys()
    assert compare_files(base, other, statistics=STATISTICS, seed=3) == result
    json.dumps(result, allow_nan=False)


def test_by_hand(tmp_path: Path) -> None:
    gold = ["YES", "YES", "NO", "NO"]
    sides = (["YES", "NO", None, "YES"], ["YES", "YES", "NO", "YES"])
    files = []
    for name, side in zip("ab", sides, strict=True):
        rows = [{"id": k, "gold": gold[k], "prediction": prediction} for k, prediction in enumerate(side)]
        files.append(write(tmp_path / f"{name}.jsonl", rows))
    result = compare_files(*files, statistics=STATISTICS)
    overall = result["overall"]
    assert overall is not None
    assert (overall["accuracy_base"], overall["accuracy_other"]) == (0.25, 0.75)
    assert (overall["mcnemar"]["b"], overall["mcnemar"]["c"], overall["cohens_g"]) == (0, 2, 0.5)
    assert (overall["parse_rate_base"], overall["parsed"]["n"]) == (0.75, 3)
    assert list(result) == ["overall", "DIFF", "EQUAL"]
    assert "harm" not in overall
    assert "accuracy_difference_by_scenario" not in overall


def test_csv_text_and_labels_say_the_same_as_jsonl(tmp_path: Path) -> None:
    """CSV with empty cells, raw text with a conclusion line, other cases of the labels, another order."""
    base, other = rows_of(40, 1), rows_of(40, 2)
    expected = compare_files(
        write(tmp_path / "a.jsonl", base), write(tmp_path / "b.jsonl", other), statistics=STATISTICS
    )
    as_csv = write(tmp_path / "a.csv", [{**row, "prediction": (row["prediction"] or "").lower()} for row in base])
    spoken = without(other, "prediction")
    for row, prediction in zip(spoken, (row["prediction"] for row in other), strict=True):
        row["raw_text"] = f"Because.\n**Conclusion: {prediction}**" if prediction else 'Hm, "so",\nno.'
    for suffix in ("jsonl", "csv"):
        raw = write(tmp_path / f"raw.{suffix}", spoken[::-1])
        assert compare_files(as_csv, raw, statistics=STATISTICS) == expected


def test_this_project_s_generations_with_the_suite(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    items = [
        Item(id=f"D1-DIFF-{k}", benchmark="D1", condition="DIFF", gold="YES", prompt="?", scenario=f"s{k // 2}")
        for k in range(20)
    ]
    sides = [
        [
            Generation(
                item_id=item.id, variant=variant, text="t", rationale="t", prediction="YES" if coin < share else "NO",
                new_tokens=3, model="m", revision="r", prompt_hash="h", toxicity=float(coin) / 100,
            )
            for item, coin in zip(items, rng.random(20), strict=True)
        ]
        for variant, share in (("base", 0.3), ("repaired", 0.8))
    ]  # fmt: skip
    paths = [tmp_path / "base.jsonl", tmp_path / "repaired.jsonl"]
    for path, side in zip(paths, sides, strict=True):
        write_jsonl(path, side)
    write_jsonl(tmp_path / "test.jsonl", items)
    result = compare_files(*paths, tmp_path / "test.jsonl", STATISTICS, 7)["overall"]
    expected = exact_comparison(items, *sides, STATISTICS, 7, "overall")
    expected["harm"] = {"toxicity": exact_harm_tests(items, *sides, STATISTICS, 7, "toxicity")}
    assert result == expected
    assert compare_files(*paths, tmp_path / "test.jsonl", STATISTICS, 7)["EQUAL"] is None
    with pytest.raises(DataError, match=r"20 x no gold label: D1-DIFF-0 \(line 1\).*and 15 more.*--suite"):
        compare_files(*paths, statistics=STATISTICS)
    write_jsonl(tmp_path / "more.jsonl", [*items, items[0].model_copy(update={"id": "x"})])
    with pytest.raises(DataError, match=r"1 items have no answer in .*: x\."):
        compare_files(*paths, tmp_path / "more.jsonl", STATISTICS)
    write_jsonl(tmp_path / "less.jsonl", items[2:])
    with pytest.raises(DataError, match=r"2 x id that the suite does not have: D1-DIFF-0 \(line 1\)"):
        compare_files(*paths, tmp_path / "less.jsonl", STATISTICS)


def test_a_suite_that_contradicts_is_refused(tmp_path: Path) -> None:
    rows = rows_of(4, 1)
    path = write(tmp_path / "a.jsonl", rows)
    suite = write(tmp_path / "suite.jsonl", [{"id": row["id"], "gold": "YES"} for row in rows])
    with pytest.raises(DataError, match=r"2 x 'gold' that the suite contradicts: q0 \(line 1\), q2 \(line 3\)"):
        compare_files(path, path, suite, STATISTICS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([(1, {"id": "q0"})], r"1 x duplicate id: q0 \(lines 1 and 2\)"),
        ([(0, {"gold": "MAYBE"})], r"1 x unknown gold label: 'MAYBE' of q0 \(line 1\)"),
        ([(0, {"prediction": "maybe"}), (2, {"prediction": 1})], r"2 x unknown prediction: 'maybe' of q0 .*, 1 of q2"),
        ([(3, {"gold": None})], r"1 x 'gold' missing though other rows have it: q3 \(line 4\)"),
        ([(3, {"toxicity": None})], r"1 x 'toxicity' missing though other rows have it: q3 \(line 4\)"),
        ([(3, {"toxicity": "high"})], r"1 x 'toxicity' that is not a number in \[0, 1\]: 'high' of q3"),
        ([(3, {"toxicity": 1.5})], r"1 x 'toxicity' that is not a number in \[0, 1\]: 1\.5 of q3"),
        ([(2, {"benchmark": "overall"})], r"1 x reserved benchmark name: overall of q2"),
        ([(2, {"id": ""})], r"1 x empty or invalid id: '' \(line 3\)"),
        ([(2, {"id": True})], r"1 x empty or invalid id: True \(line 3\)"),
        ([(2, {"toxcity": 0.1})], r"1 x unknown column: toxcity \(line 3\)"),
        ([(2, {"item_id": "q2"})], r"1 x column twice under two names: line 3"),
    ],
)
def test_bad_rows_are_named(changes: list[tuple[int, Row]], message: str, tmp_path: Path) -> None:
    rows = rows_of(5, 1)
    for index, change in changes:
        rows[index] |= change
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match=message) as caught:
        read_outputs(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_every_kind_of_problem_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(row) for row in rows_of(9, 1, gold="X")]
    path.write_text("\n".join([*lines, "{", "[1]", '{"id": "z", "gold": "YES"}', '{"gold": "YES"}']), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_outputs(path)
    for part in (
        "9 x unknown gold label: 'X' of q0 (line 1)", "and 4 more", "2 x damaged line: 10 (", "11 (not an object)",
        "1 x no column 'prediction' or 'text': line 12", "1 x no column 'id': line 13",
    ):  # fmt: skip
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("\n\n", "no rows"),
        ("id,gold,prediction\n", "no rows"),
        ("id,gold,prediction\na,YES\n", r"1 x damaged line: 2 \(2 of 3 columns\)"),
        ('id,gold,prediction\na,YES,"NO\n', "1 x damaged line"),
        ("id,id,prediction\na,b,NO\n", r"1 x damaged line: 1 \(a column name occurs twice\)"),
        ("gold,prediction\nYES,NO\n", "1 x no column 'id': line 2"),
    ],
)
def test_damaged_csv(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_outputs(path)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl is missing"):
        read_outputs(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(DataError, match=r"is not UTF-8 \(byte 8\)"):
        read_outputs(tmp_path / "b.jsonl")
    with pytest.raises(DataError, match="1 x no column 'gold': line 1"):
        read_outputs(write(tmp_path / "c.jsonl", [{"id": "a", "prediction": "YES"}]), "suite")


HOSTILE_LINES = {
    "[" * 100_000: "nested too deeply",
    '{"id": "a", "gold": "YES", "prediction": "NO", "toxicity": ' + "1" * 5000 + "}": "damaged line",
    '{"id": "a", "gold": "YES", "prediction": "NO", "toxicity": 1' + "0" * 400 + "}": "not a number in",
    '{"id": "a", "gold": "YES", "prediction": "NO", "toxicity": "0_1"}': "not a number in",
    '{"id": "a", "gold": "YES", "prediction": "NO", "toxicity": "١"}': "not a number in",
    '{"id": "a", "gold": "YES", "prediction": "NO", "toxicity": NaN}': "not a number in",
    '{"id": "a", "gold": "YES", "gold": "NO", "prediction": "NO"}': "a key occurs twice",
    '{"id": "a", "gold": "YES", "prediction": "NO", "benchmark": "\\ud800"}': "half of a character",
    '{"id": "a", "gold": "YES", "prediction": "NO", "benchmark": {"b": 1}}': "neither a text nor a number",
    '{"id": "a", "gold": "YES", "prediction": "NO", "benchmark": "\\u001b[2J"}': "control characters",
    '{"id": "a", "gold": "YES", "prediction": "NO", "benchmark": "' + "x" * 101 + '"}': "above 100 characters",
    '{"id": "\\u001b[2J\\u202e", "gold": "maybe", "prediction": "NO"}': "[U+001B][2J[U+202E]",
    '{"id": "' + "x" * 10_000 + '", "gold": "maybe", "prediction": "NO"}': "xxx... (line 1)",
    '{"id": "a", "gold": "' + "x" * 10_000 + '", "prediction": "NO"}': "unknown gold label",
}


@pytest.mark.parametrize("line", HOSTILE_LINES)
def test_a_hostile_line_is_one_short_message_without_control_characters(line: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_outputs(path)
    message = str(caught.value)
    assert HOSTILE_LINES[line] in message
    assert message.isprintable()
    assert len(message) < 1000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_any_locale_is_read(encoding: str, delimiter: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [["id", "gold", "prediction", "text"], ["a", "YES", "NO", '"x; y,\tz|"'], ["ä", "NO", "", '"b"'], []]
    path.write_bytes(end.join(delimiter.join(line) for line in lines).encode(encoding))
    assert [(row.id, row.gold, row.prediction) for row in read_outputs(path).rows] == [
        ("a", "YES", "NO"), ("ä", "NO", None),
    ]  # fmt: skip


def test_files_that_do_not_pair(tmp_path: Path) -> None:
    rows = rows_of(12, 1)
    base, other = write(tmp_path / "a.jsonl", rows[:10]), write(tmp_path / "b.jsonl", rows[3:])
    with pytest.raises(DataError) as caught:
        compare_files(base, other, statistics=STATISTICS)
    assert f"3 x id only in {base}: q0 (line 1), q1 (line 2), q2 (line 3)" in str(caught.value)
    assert f"2 x id only in {other}: q10 (line 8), q11 (line 9)" in str(caught.value)
    changed = write(tmp_path / "c.jsonl", [{**row, "gold": "YES"} for row in rows[:10]])
    with pytest.raises(DataError, match=r"5 x 'gold' differs: q0 \(lines 1 and 1\)"):
        compare_files(base, changed, statistics=STATISTICS)
    moved = write(tmp_path / "d.jsonl", [{**row, "benchmark": "N4"} for row in rows[:10]])
    with pytest.raises(DataError, match="10 x 'benchmark' differs"):
        compare_files(base, moved, statistics=STATISTICS)


def test_one_file_may_tell_what_the_other_leaves_out(tmp_path: Path) -> None:
    rows = rows_of(20, 1)
    full = write(tmp_path / "a.jsonl", rows)
    bare = write(tmp_path / "b.jsonl", without(rows, "gold", "benchmark", "scenario", "toxicity"))
    result = compare_files(full, bare, statistics=STATISTICS)
    assert "D1" in result
    overall = result["overall"]
    assert overall is not None
    assert overall["accuracy_difference"]["estimate"] == 0.0
    assert "harm" not in overall  # scored on one side only


def test_all_unparsed_one_row_and_hate(tmp_path: Path) -> None:
    one = {"id": "a", "gold": "YES", "prediction": None, "toxicity": 0.1, "hate": 0.2}
    path = write(tmp_path / "a.jsonl", [one])
    result = compare_outputs(read_outputs(path), read_outputs(path), STATISTICS)
    assert result["EQUAL"] is None
    overall = result["overall"]
    assert overall is not None
    assert (overall["accuracy_base"], overall["parse_rate_other"], overall["accuracy_parsed_base"]) == (0.0, 0.0, None)
    assert overall["mcnemar"]["p_exact"] == 1.0
    assert set(overall["harm"]) == {"toxicity", "hate"}
    assert overall["harm"]["hate"]["median_base_x1e5"] == 20_000
    assert "EQUAL" in render(result)


def test_the_table_shows_what_the_json_holds(tmp_path: Path) -> None:
    base, other = (write(tmp_path / f"{seed}.jsonl", rows_of(60, seed)) for seed in (1, 2))
    result = compare_files(base, other, statistics=STATISTICS)
    overall = result["overall"]
    assert overall is not None
    text = render(result)
    first = next(line for line in text.splitlines() if line.startswith("overall"))
    for value in (overall["accuracy_base"], overall["accuracy_other"], overall["parse_rate_base"]):
        assert f"{value:.3f}" in first
    assert f"{overall['accuracy_difference']['estimate']:+.3f}" in first
    assert f"{overall['minimum_detectable_difference']:.3f}" in first
    assert "45 scenarios resampled whole" in text
    harm = overall["harm"]["toxicity"]
    assert f"mean {harm['mean']['base_x1e5']:.2f} > {harm['mean']['other_x1e5']:.2f}" in text
    assert text.index("above 0.1:") < text.index("the paper's: median")
    assert max(map(len, text.splitlines())) < 170


def test_numbers_are_not_rounded(tmp_path: Path) -> None:
    """300 prompts, 1 of 7 right before and 6 of 7 after: p and rates to 1e-10 of scipy and of counting."""
    gold = ["YES" if k % 2 else "NO" for k in range(300)]
    wrong = {"YES": "NO", "NO": "YES"}
    sides = ([g if k % 7 == 0 else wrong[g] for k, g in enumerate(gold)],
             [g if k % 7 else wrong[g] for k, g in enumerate(gold)])  # fmt: skip
    rng = np.random.default_rng(5)
    scores = rng.random((2, 300)) / 3
    paths = [
        write(tmp_path / f"{name}.jsonl", [
            {"id": k, "gold": gold[k], "prediction": side[k], "toxicity": float(score[k])} for k in range(300)
        ])
        for name, side, score in zip("ab", sides, scores, strict=True)
    ]  # fmt: skip
    found = json.loads(json.dumps(compare_files(*paths, statistics=STATISTICS)["overall"]))
    b = sum(one == g != two for one, two, g in zip(*sides, gold, strict=True))
    c = sum(two == g != one for one, two, g in zip(*sides, gold, strict=True))
    assert found["mcnemar"]["p_exact"] == pytest.approx(scipy_stats.binomtest(b, b + c).pvalue, rel=1e-10)
    assert found["mcnemar"]["p_exact"] < 1e-30
    assert found["accuracy_base"] == pytest.approx(43 / 300, abs=1e-15)
    assert found["accuracy_difference"]["estimate"] == pytest.approx((c - b) / 300, abs=1e-15)
    harm = found["harm"]["toxicity"]
    assert harm["mean"]["difference_x1e5"]["estimate"] == pytest.approx(1e5 * (scores[1] - scores[0]).mean(), rel=1e-10)
    assert harm["wilcoxon"]["p"] == pytest.approx(scipy_stats.wilcoxon(scores[1] - scores[0]).pvalue, rel=1e-10)
    assert harm["mann_whitney"]["p"] == pytest.approx(scipy_stats.mannwhitneyu(*scores).pvalue, rel=1e-10)
    gained, lost = (int(((one > 0.1) & (two <= 0.1)).sum()) for one, two in (scores[::-1], scores))
    assert harm["share_above"]["p"] == pytest.approx(scipy_stats.binomtest(lost, lost + gained).pvalue, rel=1e-10)


def test_the_pairs_that_moved_most(tmp_path: Path) -> None:
    base = [{"id": k, "gold": "YES", "prediction": "YES", "toxicity": 0.5, "rationale": f"r{k}"} for k in range(6)]
    other = [{**row, "toxicity": 0.5 + (-1) ** k * k / 10} for k, row in enumerate(base)]
    other[5]["rationale"] = " "  # writes nothing: no harm
    outputs = [read_outputs(write(tmp_path / f"{name}.jsonl", rows)) for name, rows in (("a", base), ("b", other))]
    moved = moved_pairs(*outputs, most=3)
    assert [(row.id, round(row.change, 6)) for row in moved] == [("4", 0.4), ("3", -0.3), ("2", 0.2)]
    assert (moved[0].rationale_base, moved[0].score, moved[0].benchmark) == ("r4", "toxicity", None)
    found = compare_outputs(*outputs, STATISTICS, tau=0.15)["overall"]
    assert found is not None
    harm = found["harm"]["toxicity"]
    assert (harm["n"], harm["without_rationale"]) == (5, 1)
    assert (harm["rise"]["rose_count"], harm["rise"]["fell_count"]) == (2, 1)
    silent = [{**row, "rationale": ""} for row in base]
    paths = [write(tmp_path / f"{name}.jsonl", rows) for name, rows in (("c", base), ("d", silent))]
    result = compare_files(*paths, statistics=STATISTICS)
    assert "no pair has a rationale on both sides" in render(result)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 5))
def test_order_of_the_rows_does_not_matter(order: list[int], seed: int) -> None:
    from dart.compare.reader import Output, Outputs

    rng = np.random.default_rng(seed)
    rows = [
        Output(id=str(k), line=k + 1, gold="YES" if k % 3 else "NO", prediction=["YES", "NO"][int(rng.integers(2))])
        for k in range(12)
    ]  # fmt: skip
    straight, mixed = Outputs("a", rows), Outputs("b", [rows[k] for k in order])
    pairs = align(straight, mixed)
    assert [row.id for row in pairs.base] == [row.id for row in pairs.other] == [row.id for row in rows]
    result = compare_outputs(straight, mixed, STATISTICS)["overall"]
    assert result is not None
    assert (result["mcnemar"]["b"], result["mcnemar"]["c"]) == (0, 0)
