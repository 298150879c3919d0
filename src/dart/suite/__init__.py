"""The eight benchmarks: their origin, reading them safely, and their splits.

`read_suite` reads the published difference-awareness suite (pinned bytes, restricted unpickling) or a benchmark of
the reader's own; `split_suite` selects and splits it as in appendix A; `suite_card` describes the result in numbers.
"""
