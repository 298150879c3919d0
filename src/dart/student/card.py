"""The model card of an adapter, written from the run itself: what it is, from what, for what, and what to beware of.

It holds no date and no machine: two equal runs write equal cards.
"""

from __future__ import annotations

from dart.core.schema.method import Lora, Training
from dart.core.schema.profile import TrainedStudent
from dart.student.loading import Student

_CARD = """---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
---
# Adapter for {name}

A LoRA adapter that classifies whether a question about demographic groups requires difference-awareness and
explains its answer in a few sentences (Distill-Audit-Repair Training).

**Content warning.** The training rows discuss discrimination and stereotypes, and an explanation can repeat or
elaborate harmful content. {stage}

**Intended use.** Research on harm drift: to be compared with its base under identical decoding. Not for moderation,
for decisions about people, or as a source of facts about groups.

| | |
|---|---|
| base | {base} |
| base revision | {revision} |
| continued from | {start} |
| rows | {rows} |
| data digest | {digest} |
| supervised tokens per epoch | {supervised} |
| trained parameters | {parameters} |
| optimiser steps | {steps} |
| final loss | {loss:.4f} |
| seed | {seed} |
| learning rate | {learning_rate} |
| precision | {precision}, quantisation {quantize} |
| LoRA | r {lora.r}, alpha {lora.alpha}, dropout {lora.dropout}, {modules} |
| training | global batch {training.global_batch}, warm-up {training.warmup_ratio}, weight decay {training.weight_decay}, clip {training.max_grad_norm}, max length {training.max_length} |
{regulariser}"""  # noqa: E501 - one row of a table is one line

_FIRST = "This one has not been repaired: its explanations are expected to be more harmful than those of its base."
_CONTINUED = "It continues another adapter; whether that lowered the harm is for the audit to say."


def model_card(
    student: Student,
    spec: TrainedStudent,
    lora: Lora,
    training: Training,
    *,
    start: str | None,
    rows: int,
    digest: str,
    supervised: int,
    parameters: int,
    steps: int,
    loss: float,
    seed: int,
    regulariser: str | None = None,
) -> str:
    """Markdown with the metadata block that the hub reads.

    Args:
        start: fingerprint of the adapter that was continued; None for a new one.
        digest: identity of the training rows.
        supervised: supervised tokens of one pass over the rows.
        regulariser: what was added to the cross entropy, if anything was.
    """
    return _CARD.format(
        name=spec.name,
        base=spec.name if student.source.is_local else student.source.path_or_id,
        revision=student.source.revision,
        stage=_FIRST if start is None else _CONTINUED,
        start=start or "-",
        rows=rows,
        digest=digest,
        supervised=supervised,
        parameters=parameters,
        steps=steps,
        loss=loss,
        seed=seed,
        learning_rate=spec.learning_rate,
        precision=spec.precision,
        quantize=spec.quantize,
        lora=lora,
        modules=", ".join(lora.target_modules),
        training=training,
        regulariser=f"| regulariser | {regulariser} |\n" if regulariser else "",
    )
