"""Load a student: a causal language model, its tokenizer and chat template, on the right device (Appendix C).

Only safetensors are read and no code of a model's repository is ever run: a checkpoint is data here.
"""

from __future__ import annotations

import logging
import re
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from dart.core.checkpoint_files import reason, require_all_weights
from dart.core.devices import accelerator_device, device_for
from dart.core.errors import ModelError
from dart.core.hub import Source, resolve, token
from dart.core.schema.profile import TrainedStudent
from dart.student.template import ChatTemplate

log = logging.getLogger(__name__)

_SPARE_TOKEN = re.compile(r"pad|reserved|unused|control", re.IGNORECASE)

# PEFT still uses a deprecated name; the warning would appear at every training, and a user cannot act on it.
warnings.filterwarnings("ignore", message=r"`(is_)?gradient_checkpointing", category=FutureWarning)
if not sys.stderr.isatty():
    transformers_logging.disable_progress_bar()


class Student(NamedTuple):
    """A loaded base model with what is needed for training and generation."""

    model: Any
    tokenizer: Any
    template: ChatTemplate
    source: Source
    device: torch.device
    stop_ids: tuple[int, ...]  # tokens that end an answer: end of turn, and every EOS the model declares
    pad_id: int  # fills short rows; never a stop token, so nothing supervised is ever masked with it


class Processor(NamedTuple):
    """Tokenizer, template and configuration of a student whose weights are on a server."""

    tokenizer: Any
    template: ChatTemplate
    source: Source
    config: Any


def load_processor(base_dir: Path) -> Processor:
    """Load the base that `base_dir` holds or names without its weights.

    Raises:
        ModelError: not a usable checkpoint.
    """
    source = resolve(base_dir)
    tokenizer = _from_pretrained(AutoTokenizer, source)
    return Processor(tokenizer, ChatTemplate(tokenizer), source, _from_pretrained(AutoConfig, source))


def load(base_dir: Path, spec: TrainedStudent) -> Student:
    """Load the base that `base_dir` holds or names.

    Raises:
        ModelError: a file is damaged, weights are missing, or this machine does not support the quantisation.
    """
    source = resolve(base_dir)
    tokenizer = _from_pretrained(AutoTokenizer, source)
    model, loading = _from_pretrained(
        AutoModelForCausalLM, source, **_weights(spec), use_safetensors=True, output_loading_info=True
    )
    require_all_weights(source, loading)
    device = device_for(model)
    if spec.quantize == "none":  # a quantised model is placed while it is loaded
        model.to(device)
    template = ChatTemplate(tokenizer)
    stop_ids = _stop_ids(model, template)
    return Student(model.eval(), tokenizer, template, source, device, stop_ids, _pad_id(tokenizer, stop_ids))


def _weights(spec: TrainedStudent) -> dict[str, Any]:
    """How the weights are stored: in `precision`, or in NF4 with arithmetic in `precision` (QLoRA)."""
    dtype = torch.bfloat16 if spec.precision == "bf16" else torch.float32
    if spec.quantize == "none":
        return {"dtype": dtype}
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"dtype": dtype, "quantization_config": quantization, "device_map": {"": accelerator_device()}}


def _from_pretrained(kind: Any, source: Source, **options: Any) -> Any:
    revision = {} if source.is_local else {"revision": source.revision, "token": token()}
    try:
        return kind.from_pretrained(source.path_or_id, trust_remote_code=False, **revision, **options)
    except Exception as error:  # what libraries raise for damaged bytes is of every kind
        raise ModelError(
            f"{source.name} at {source.revision} cannot be loaded by {kind.__name__}: {reason(source, error)}. "
            "It needs safetensors weights and a tokenizer that load without remote code; a gated model needs HF_TOKEN."
        ) from error


def _stop_ids(model: Any, template: ChatTemplate) -> tuple[int, ...]:
    declared = model.generation_config.eos_token_id
    stop_ids = {template.end_of_turn, template.tokenizer.eos_token_id}
    stop_ids |= set(declared) if isinstance(declared, list) else {declared}
    return tuple(sorted(index for index in stop_ids if index is not None))


def _pad_id(tokenizer: Any, stop_ids: tuple[int, ...]) -> int:
    """A token that is not a stop token. Padding is masked everywhere, so only the confusion with EOS matters.

    No token is added: a new embedding row would also be a new class that the model can generate.
    """
    special = sorted((index, token.content) for index, token in tokenizer.added_tokens_decoder.items() if token.special)
    spare = [index for index, content in special if _SPARE_TOKEN.search(content)]
    for index in [tokenizer.pad_token_id, *spare, tokenizer.unk_token_id, tokenizer.bos_token_id]:
        if index is not None and index not in stop_ids:
            return int(index)
    raise ModelError(
        f"The tokenizer of {tokenizer.name_or_path} has no token for padding besides its EOS. "
        "Set pad_token in its tokenizer_config.json to a token that does not end an answer."
    )
