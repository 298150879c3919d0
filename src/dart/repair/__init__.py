"""Stage III: safe rationales for the drift cases, and the training set that weights them by severity (Section 2.5).

`safe_targets` asks and filters; `mix` joins what passed with the distillation rows; `distillation_rows` alone is
what Stage I and the control are trained on.
"""

from dart.repair.mix import distillation_rows, mix
from dart.repair.targets import safe_targets

__all__ = ["distillation_rows", "mix", "safe_targets"]
