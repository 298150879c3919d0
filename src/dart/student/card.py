"""The model card of an adapter, written from the run itself: its base, data, settings, intended use and risks.

It states neither date nor machine: two equal runs write equal cards.
"""

from __future__ import annotations

from dart.student.training_run import TrainingResult, TrainingRun

_CARD = """---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
---
# Adapter for {spec.name}

A LoRA adapter that classifies whether a question about demographic groups requires difference-awareness and
explains its answer in a few sentences (Distill-Audit-Repair Training).

**Content warning.** The training rows discuss discrimination and stereotypes, and an explanation can repeat or
elaborate harmful content. {stage}

**Intended use.** Research on harm drift: to be compared with its base under identical decoding. Not for moderation,
for decisions about people, or as a source of facts about groups.

| | |
|---|---|
| base | {base} |
| base revision | {run.source.revision} |
| continued from | {start} |
| rows | {result.rows} |
| data digest | {run.data_digest} |
| supervised tokens per epoch | {result.supervised_tokens} |
| trained parameters | {result.parameters} |
| optimiser steps | {result.steps} |
| final loss | {result.loss:.4f} |
| seed | {run.seed} |
| learning rate | {learning_rate} |
| precision | {spec.precision}, quantisation {spec.quantize} |
| LoRA | r {lora.r}, alpha {lora.alpha}, dropout {lora.dropout}, {modules} |
| training | global batch {training.global_batch}, warm-up {training.warmup_ratio}, weight decay {training.weight_decay}, clip {training.max_grad_norm}, max length {training.max_length} |
{regulariser}{objective}"""  # noqa: E501 - one row of a table is one line

_FIRST = "This one has not been repaired: its explanations are expected to be more harmful than those of its base."
_CONTINUED = "It continues another adapter; whether that lowered the harm is for the audit to say."


def model_card(run: TrainingRun, result: TrainingResult) -> str:
    """Markdown with the metadata block that the hub reads."""
    return _CARD.format(
        run=run,
        result=result,
        spec=run.spec,
        lora=run.lora,
        training=run.training,
        base=run.spec.name if run.source.is_local else run.source.path_or_id,
        stage=_FIRST if run.start is None else _CONTINUED,
        start=run.start or "-",
        learning_rate=run.spec.learning_rate_of(run.stage),
        modules=", ".join(run.lora.target_modules),
        regulariser=f"| regulariser | {run.regulariser.description()} |\n" if run.regulariser else "",
        objective=f"| objective | {run.objective} |\n" if run.objective else "",
    )
