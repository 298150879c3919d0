"""A table as a value and in Markdown and HTML: shape, marks of what did not run, escapes, numbers as shown."""

from __future__ import annotations

import pytest

from dart.report.latex import latex
from dart.report.markdown import escaped, fenced, markdown
from dart.report.page import html_fragment
from dart.report.table import NOT_RUN, Body, Table, bounds, p_value, percent, ruled, signed


def _table(**fields: object) -> Table:
    rows = (("N1 (rebuilt)", "50 % ***"), ("a_b & c", "Δ −0.1"))
    values = {"number": "2", "title": "A & B", "columns": ("Row", "p < .05"), "rows": rows, "rules": (1,)}
    return Table.model_validate(values | {"note": "n.b.", "simulated": True} | fields)


def test_ruled_puts_a_line_between_groups_only() -> None:
    assert ruled([[("a",), ("b",)], [], [("c",)]]) == Body((("a",), ("b",), ("c",)), (2,))
    assert ruled([]) == Body((), ())


def test_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="row 0 has 1 cells"):
        _table(rows=(("x",),), rules=())


def test_a_row_that_did_not_run_needs_a_reason_and_a_reason_needs_a_row() -> None:
    rows = (("a", NOT_RUN), ("b", "1"))
    with pytest.raises(ValueError, match="if and only if"):
        _table(rows=rows)
    with pytest.raises(ValueError, match="if and only if"):
        _table(needs="something")
    assert _table(rows=rows, needs="a judge").status == "partly"
    assert _table(rows=rows, needs="a judge", measured=False).status == "not run"
    assert _table().status == "regenerated"


def test_the_reason_and_the_mark_are_shown() -> None:
    table = _table(rows=(("a", NOT_RUN), ("b", "1")), needs="a judge.")
    assert "Not run: a judge." in markdown(table)
    assert '<td class="absent">not run</td>' in html_fragment(table)


def test_warning_stands_before_the_rows_and_a_real_suite_is_folded() -> None:
    table = _table(warning="Content warning: x", folded=True, wrapped=(1,))
    assert markdown(table).index("Content warning") < markdown(table).index("| Row")
    page = html_fragment(table)
    assert page.index("Content warning") < page.index("<table>")
    assert "<details><summary" in page
    assert "<details open>" in html_fragment(_table(warning="Content: x"))
    assert "<details" not in html_fragment(_table())


def test_markdown_escapes_stars_bars_and_line_breaks() -> None:
    assert r"50 % \*\*\*" in markdown(_table())
    text = markdown(_table(rows=(("a|b\nc", "d"),), rules=()))
    assert "a\\|b c | d |" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&lt;script&gt; &copy; &#9731; a & b", r"\&lt;script\&gt; \&copy; \&#9731; a & b".replace("&#", "&\\#")),
        ("$x^2$ and ~~gone~~", r"\$x^2\$ and \~\~gone\~\~"),
        (
            "http://evil.example www.evil.example a@evil.example",
            r"http\://evil.example www\.evil.example a\@evil.example",
        ),
        ("#1 and :tada: and <b>", r"\#1 and \:tada: and \<b\>"),
        ("![x](javascript:alert(1))", r"!\[x\](javascript:alert(1))"),
        ("a\u202eb\u200bc\x1b[2J\x00", r"a\[U+202E\]b\[U+200B\]c\[U+001B\]\[2J\[U+0000\]"),
        ("12:30, ratio 1:2, 5 # 3, M&M", "12:30, ratio 1:2, 5 # 3, M&M"),
    ],
)
def test_nothing_in_a_text_is_markdown(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_a_summary_cannot_leave_its_block() -> None:
    assert fenced("a ``` b") == ["````text", "a ``` b", "````"]
    assert fenced("\x1b[2J") == ["```text", "[U+001B][2J", "```"]


def test_invisible_characters_are_visible_in_every_rendering() -> None:
    table = _table(title="a\u202eb", note="c\u200bd", rows=(("e\x1bf", "g\u2066h"),), rules=())
    for rendering in (markdown(table), html_fragment(table), latex(table)):
        assert all(f"U+{code}" in rendering for code in ("202E", "200B", "001B", "2066"))
        assert all(character == "\n" or character.isprintable() for character in rendering)
    assert "<b>" not in html_fragment(_table(title="<b>\u200b"))


def test_html_escapes() -> None:
    assert "p &lt; .05" in html_fragment(_table())
    assert '<tr class="rule"><th scope="row">a_b &amp; c' in html_fragment(_table())


def test_words_are_set_left_and_numbers_right() -> None:
    wide = Table(number="9", title="t", columns=tuple("abcdefgh"), rows=(("x", *"1234567"),), simulated=False)
    assert wide.left_columns == (True, *(False,) * 7)
    assert markdown(wide).splitlines()[3].startswith("| :-- | --: |")
    assert wide.model_copy(update={"wrapped": (1,)}).left_columns[:2] == (True, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (signed(-0.007), "−0.007"),
        (percent(-0.7264, sign=True), "−72.6 %"),
        (percent(435 / 1624), "26.8 %"),
        (percent(1118 / 1624, 2), "68.84 %"),
        (percent(633 / 1624, 2), "38.98 %"),
        (bounds([0.1, 0.25]), "[+0.100, +0.250]"),
        (percent(-0.0, sign=True), "+0.0 %"),
        (p_value(1.2e-13), "1e-13"),
        (p_value(None), "–"),
    ],
)
def test_numbers_as_shown(text: str, expected: str) -> None:
    assert text == expected


def test_a_p_that_underflows_is_not_printed_as_zero() -> None:
    assert [p_value(p) for p in (None, 0.5, 0.0004, 3e-200, 0.0)] == ["–", "0.500", "4e-04", "3e-200", "< 1e-300"]
