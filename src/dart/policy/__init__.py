"""The inference-time explanation policy: which instruction a prompt gets and what comes of it (Section 2.6)."""
