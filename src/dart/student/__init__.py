"""Students: load a base, train an adapter on rationales, generate with base and adapters.

Sections 2.3 (fine-tuning), 2.4 (paired generation under identical conditions) and 2.5 (continued fine-tuning).
Import from the modules, so that a stage depends on what it uses alone.
"""

import logging

# peft imports bitsandbytes, which looks for an optional package with a faster 4-bit layer for CPUs and warns of its
# absence on every import; students are quantised on GPUs only. Its other warnings are heard.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: "gemm_4bit_forward from kernels-community" not in str(record.msg)
)
