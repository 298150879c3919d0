"""`dart graph`: the stages and what flows between them, for README.md."""

from __future__ import annotations


def graph() -> None:
    """Print the graph of dvc.yaml as Mermaid."""
    from dart.core.graph import mermaid

    print(mermaid(), end="")
