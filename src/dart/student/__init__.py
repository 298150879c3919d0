"""Students: load a base, train an adapter on rationales, generate with base and adapters, read the conclusion.

Sections 2.3 (fine-tuning), 2.4 (paired generation under identical conditions) and 2.5 (continued fine-tuning).
Import from the modules: reading a conclusion then needs no torch, and a stage depends on just what it uses.
"""

import logging
import warnings

# Said at every start and no concern of a user: an optional kernel that is missing, a name that PEFT still uses.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=r"`(is_)?gradient_checkpointing", category=FutureWarning)
