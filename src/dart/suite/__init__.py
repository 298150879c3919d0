"""The eight benchmarks: where they come from, reading them safely, and who trains and who is tested.

`read_suite` reads the published difference-awareness suite (pinned bytes, restricted unpickling) or a benchmark of
the reader's own; `split_suite` selects and splits it as in appendix A; `suite_card` says in numbers what came out.
"""

from dart.suite.card import STATEMENT, suite_card
from dart.suite.pins import COMMIT, PINS, REPOSITORY, Pin, git_blob_id
from dart.suite.raw import RawItem, item_id, raw_items
from dart.suite.sources import SourceSuite, read_suite
from dart.suite.split import Suite, split_suite
from dart.suite.unpickle import plain_unpickle

__all__ = [
    "COMMIT",
    "PINS",
    "REPOSITORY",
    "STATEMENT",
    "Pin",
    "RawItem",
    "SourceSuite",
    "Suite",
    "git_blob_id",
    "item_id",
    "plain_unpickle",
    "raw_items",
    "read_suite",
    "split_suite",
    "suite_card",
]
