"""Students: load a base, train an adapter on rationales, generate with base and adapters, read the conclusion.

Sections 2.3 (fine-tuning), 2.4 (paired generation under identical conditions) and 2.5 (continued fine-tuning).
Import from the modules: reading a conclusion then needs no torch, and a stage depends on just what it uses.
"""
