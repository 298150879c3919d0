"""`dart readme`: the results in README.md, from metrics/."""

from __future__ import annotations


def readme() -> None:
    """Renew the numbers in README.md from metrics/. A test compares the page with them."""
    from dart.report.readme import FILE, renewed, results_block

    before = FILE.read_text(encoding="utf-8")
    after = renewed(before, results_block())
    FILE.write_text(after, encoding="utf-8")
    print(f"{FILE}: {'unchanged' if after == before else 'renewed'}")
