"""Students: load a base, train an adapter on rationales, generate with base and adapters.

Sections 2.3 (fine-tuning), 2.4 (paired generation under identical conditions) and 2.5 (continued fine-tuning).
Import from the modules, so that a stage depends on what it uses alone.
"""
