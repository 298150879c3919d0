"""Stages of ablations/dvc.yaml: `python -m stages ablations.NAME` runs one of them.

An arm is trained in two stages, before and after the audit that decides what it repairs; what is asked of a teacher or
a judge stands between them, for all arms together.
"""
