"""The inference-time explanation policy: which instruction a prompt gets, and its effect (Section 2.6)."""
