"""What holds for all tests: variables of portable arithmetic, set before any test module imports numpy or torch.

Only tests of that arithmetic request it; the others compute as the stages do.
"""

import os

from dart.core import arithmetic

_before = os.environ.get(arithmetic.REQUEST)
os.environ[arithmetic.REQUEST] = "1"
arithmetic.set_environment()
if _before is None:
    del os.environ[arithmetic.REQUEST]
