"""Pages that a reader opens from disk: every sample of a run, and blinded pairs to label (Appendices L, R)."""
