"""The eight benchmarks: where they come from, reading them safely, and who trains and who is tested.

`read_suite` reads the published difference-awareness suite (pinned bytes, restricted unpickling) or a benchmark of
the reader's own; `split_suite` selects and splits it as in appendix A; `suite_card` says in numbers what came out.
"""
