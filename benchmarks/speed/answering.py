"""Contenders of paired answers: this project, sorted batches of stock transformers, and the authors' way, imitated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.prompts import classification
from speed.work import GREEDY, NEW_TOKENS, SEED, SPEC

STOCK_IMPORTS = ("peft", "transformers")


def ours(folder: Path) -> dict[str, Any]:
    """`dart.student.generation`, as the stages call it: one model, prompts sorted by length, batches of 128."""
    from dart.student.generation import generate

    pair: dict[str, Path | None] = {"base": None, "distilled": folder / "adapter"}
    answers = generate(folder / "shape", SPEC, pair, _items(folder), GREEDY, SEED)
    return {
        "tokens": sum(record.new_tokens for records in answers.values() for record in records),
        "texts": {variant: [record.text for record in records] for variant, records in answers.items()},
    }


def authors_imitated(folder: Path, batch: int) -> dict[str, Any]:
    """The authors' way: two models in memory, batches in the order of the file, the adapter not merged."""
    first, words = _load(folder)
    second, _ = _load(folder, adapter=True)
    return {"texts": _answers(folder, {"base": first, "distilled": second}, words, batch, by_length=False)}


def stock_sorted(folder: Path) -> dict[str, Any]:
    """transformers' `generate` as an expert would call it: sorted by length, batches of 128, the adapter merged."""
    texts = {}
    for variant, adapter in (("base", False), ("distilled", True)):
        model, words = _load(folder, adapter=adapter)
        if adapter:
            model = model.merge_and_unload()
        texts |= _answers(folder, {variant: model}, words, SPEC.generation_batch, by_length=True)
    return {"texts": texts}


def batch_independence(folder: Path) -> dict[str, Any]:
    """Whether a text depends on its batch: batches of 1 and of 64, fp32 and bf16, on a part of the work."""
    from dart.student.generation import generate

    items, short = _items(folder)[:48], GREEDY.model_copy(update={"max_new_tokens": 64})
    same = {}
    for precision in ("fp32", "bf16"):
        texts = []
        for batch in (1, 64):
            spec = SPEC.model_copy(update={"precision": precision, "generation_batch": batch})
            answers = generate(folder / "shape", spec, {"d": folder / "adapter"}, items, short, SEED)["d"]
            texts.append([record.text for record in answers])
        same[precision] = sum(a == b for a, b in zip(*texts, strict=True))
    return {"same": same, "of": len(items)}


def _items(folder: Path) -> list[Item]:
    return read_jsonl(folder / "items.jsonl", Item)


def _load(folder: Path, *, adapter: bool = False) -> tuple[Any, Any]:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder / "shape", padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(folder / "shape")
    if adapter:
        model = PeftModel.from_pretrained(model, str(folder / "adapter"))
    return model.eval(), words


def _answers(folder: Path, models: dict[str, Any], words: Any, batch: int, *, by_length: bool) -> dict[str, list[str]]:
    import torch

    prompts = [
        words.apply_chat_template(classification.inference(item.prompt), add_generation_prompt=True, tokenize=False)
        for item in _items(folder)
    ]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index])) if by_length else range(len(prompts))
    texts = {variant: [""] * len(prompts) for variant in models}
    for start in range(0, len(prompts), batch):
        part = order[start : start + batch]
        encoded = words([prompts[i] for i in part], return_tensors="pt", padding=True, add_special_tokens=False)
        for variant, model in models.items():
            with torch.inference_mode():
                out = model.generate(
                    input_ids=encoded.input_ids, attention_mask=encoded.attention_mask, max_new_tokens=NEW_TOKENS,
                    do_sample=False,
                )  # fmt: skip
            new = words.batch_decode(out[:, encoded.input_ids.shape[1] :], skip_special_tokens=True)
            for index, text in zip(part, new, strict=True):
                texts[variant][index] = text
    return texts
