"""Ablation arms: what the default recipe is compared with, each one entry under `variants:` in params.yaml."""
