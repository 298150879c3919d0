"""Stage II: find the answers whose explanation became more harmful by fine-tuning (Section 2.4).

Scores (`classifier`, cached by `scores`), the screen of Eq. 1 (`screen`), the judge's verdict (`judge`), and both
together over a test set (`audit`). Import from the modules.
"""
