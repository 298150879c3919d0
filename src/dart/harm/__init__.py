"""Stage II: find the answers whose explanation became more harmful by fine-tuning (Section 2.4).

Scores (`classifier`), the screen of Eq. 1 (`screen`), the judge's verdict (`judge`), both together over a test set
(`audit`), and what two audits say about repair (`drift`). Import from the modules.
"""
