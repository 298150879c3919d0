"""The card of an adapter: what it is, how its decisions and its harm stand to its base and control, how to load it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from dart.cards.facts import QUANTITIES, Facts, Licence
from dart.cards.sections import CITATION, VARIANTS, head, limits, provenance, results, sections, table
from dart.core import layout
from dart.core.schema.profile import has_embedded

BASE_FOLDER = "base"  # of the published repository, where the base is ours and nobody else has it
_LOADING = """```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({source})
tokenizer = AutoTokenizer.from_pretrained({source})
model = PeftModel.from_pretrained(base, "{repository}"){seeds}
```"""


def adapter_card(facts: Facts, slot: str, variant: str, licence: Licence, repository: str) -> str:
    """The README of one variant of a slot.

    Args:
        repository: its name on the hub, for the lines that load it.
    """
    spec, origin = facts.profile.students[slot], facts.origin(slot)
    reference = layout.adapter(slot, variant, facts.profile.seeds[0])
    ours = base_is_ours(facts, slot)
    opening = [
        *head(facts),
        f"LoRA adapters of {spec.name}, variant *{variant}* ({VARIANTS[variant]}), of Distill-Audit-Repair Training "
        f"(DART), "
        f"by training seed: {', '.join(map(str, facts.profile.seeds))}. The model says whether a question about "
        f"demographic "
        "groups requires difference-awareness, and explains its answer in a few sentences.",
    ]
    rows = [("base", f"{spec.model} at {origin.revision}")]
    if origin.distilled is not None:
        rows.append(
            ("tuned elsewhere, in the place of Stage I", f"{origin.distilled.model} at {origin.distilled.revision}")
        )
    parts = [
        ("Results", results(facts, slot)),
        ("How to load it", [_loading(facts, slot, repository, ours), _asked(facts)]),
        ("Training", [_training(facts.root / reference / "README.md")]),
        ("Provenance", [provenance(facts, rows)]),
        ("Limits", [limits(facts, _own_limits(facts, slot, variant))]),
        ("Licence", [_licence(licence, ours)]),
        ("Citation", [CITATION]),
    ]
    metadata = _metadata(facts, slot, variant, licence, None if ours else _hub_base(facts, slot))
    return f"---\n{metadata.to_yaml()}\n---\n{sections(f'{spec.name}, {variant} ({facts.name})', parts, opening)}"


def base_is_ours(facts: Facts, slot: str) -> bool:
    """Whether the base was trained by this project, so that the repository has to hold it."""
    return has_embedded(facts.profile.students[slot].model)


def _hub_base(facts: Facts, slot: str) -> str | None:
    """The id that `base_model` names; None: a folder of somebody's machine."""
    spec = facts.profile.students[slot]
    tuned = spec.distilled
    name = tuned.model if tuned is not None and tuned.kind == "checkpoint" else spec.model
    return None if Path(name).is_absolute() or Path(name).exists() else name


def _metadata(facts: Facts, slot: str, variant: str, licence: Licence, base: str | None) -> ModelCardData:
    tags = ["dart", "lora", "harm-drift", "difference-awareness"]
    tags.append("simulated" if facts.simulated else "not-for-all-audiences")
    spec = facts.profile.students[slot]
    extra: dict[str, Any] = licence.metadata()
    if base is not None:
        extra |= {"base_model": base, "base_model_relation": "adapter"}
    return ModelCardData(
        language="en",
        library_name="peft",
        pipeline_tag="text-generation",
        tags=tags,
        model_name=f"{spec.name}, {variant}",
        eval_results=_eval_results(facts, slot, variant),
        **extra,
    )


def _eval_results(facts: Facts, slot: str, variant: str) -> list[EvalResult]:
    """Each level of the variant with its interval, as the hub's model index has it."""
    confidence, levels = facts.seeds["confidence"], facts.levels(slot)[variant]
    label = "simulated" if facts.simulated else "measured"
    results = []
    for key, name in QUANTITIES.items():
        entry = levels.get(key)
        if entry is None or entry.get("estimate") is None:
            continue
        details = {"n_items": entry["n_items"], "n_seeds": entry["n_seeds"], "confidence": confidence, "label": label}
        if entry.get("ci") is not None:
            details |= {"low": entry["ci"][0], "high": entry["ci"][1]}
        results.append(
            EvalResult(
                task_type="text-generation",
                task_name="difference-awareness classification with an explanation",
                dataset_type=facts.suite["source"] if "/" not in facts.suite["source"] else "own-benchmark",
                dataset_name=f"test split, {label}",
                dataset_split="test",
                dataset_revision=facts.suite["commit"] or facts.world.suite,
                metric_type=key,
                metric_name=f"{name}, {label}",
                metric_value=entry["estimate"],
                metric_args=details,
            )
        )
    return results


def _loading(facts: Facts, slot: str, repository: str, ours: bool) -> str:
    base = _hub_base(facts, slot)
    revision = facts.origin(slot).revision
    source = (
        f'"{repository}", subfolder="{BASE_FOLDER}"' if ours
        else f'"{base}", revision="{revision}"' if base is not None and "distilled" not in _tuned(facts, slot)
        else f'"{base or "the base named below"}"'
    )  # fmt: skip
    others = facts.profile.seeds[1:]
    seeds = f'  # the others: subfolder="seed-{others[0]}" ...' if others else ""
    return _LOADING.format(source=source, repository=repository, seeds=seeds)


def _asked(facts: Facts) -> str:
    temperature = facts.settings.generation.temperature
    decoding = f"at temperature {temperature:g}" if temperature else "greedily"
    return f"It answered {decoding}, with the prompt of the paper's Appendix E.3; another prompt gives other answers."


def _tuned(facts: Facts, slot: str) -> str:
    tuned = facts.profile.students[slot].distilled
    return "distilled" if tuned is not None and tuned.kind == "checkpoint" else ""


def _training(card: Path) -> str:
    """The settings of the reference seed, from the card that its training wrote."""
    rows = dict(re.findall(r"^\| (\S[^|]*) \| ([^|]*) \|$", card.read_text(encoding="utf-8"), flags=re.MULTILINE))
    config = json.loads((card.parent / "adapter_config.json").read_text(encoding="utf-8"))
    lora = f"r {config['r']}, alpha {config['lora_alpha']}, dropout {config['lora_dropout']}"
    return table(("", "reference seed"), [*rows.items(), *([] if "LoRA" in rows else [("LoRA", lora)])])


def _own_limits(facts: Facts, slot: str, variant: str) -> list[str]:
    lines = []
    if variant == "distilled":
        lines.append("This variant was not repaired: its explanations are expected to be more harmful than its base's.")
    if facts.profile.students[slot].distilled is not None:
        lines.append(
            "Stage I was not run here: one tuned student was audited and repaired, so base and distilled have no "
            "spread over "
            "training seeds, and how another tuning would have drifted is unknown."
        )
    return lines


def _licence(licence: Licence, ours: bool) -> str:
    if ours:
        return f"{licence.text()}, adapter and base."
    return f"{licence.text()}. An adapter is of little use without its base, whose licence and terms apply to both."
