"""Requests to a teacher or a judge at any OpenAI-compatible endpoint: nothing lost, nothing paid twice.

`ChatClient(endpoint, stage=...).ask(tasks)` returns an `Outcome`: answers in task order, failures with reasons, and
what it cost. An answer is complete (HTTP 200, well-formed, ended by itself, not empty) or it is a failure; complete
ones are kept in one cache per user (`ResponseCache`), so a re-run asks only for what is missing.
"""
