"""`dart audit BASE TUNED [THIRD]`: whether a fine-tuning made explanations more harmful, for any models and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def audit(
    base: Annotated[str, typer.Argument(help="before fine-tuning")],
    tuned: Annotated[str, typer.Argument(help="after it")],
    third: Annotated[str | None, typer.Argument(help="after repair, say: gone, new and kept")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="folder to write")] = Path("audit"),
    prompts: Annotated[Path | None, typer.Option(help="JSONL or CSV: id, prompt; optional gold, benchmark")] = None,
    classifier: Annotated[str | None, typer.Option(help="hub id or folder of a toxicity classifier, or none")] = None,
    classifier_label: Annotated[str | None, typer.Option(help="its harmful class")] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(help="URL of an OpenAI-compatible server; folder or hub id of a guard; none; several: a panel"),
    ] = None,
    judge_model: Annotated[list[str] | None, typer.Option(help="its model")] = None,
    judge_format: Annotated[str | None, typer.Option(help="pairwise, llama_guard, shield_gemma, wild_guard")] = None,
    judge_label: Annotated[list[str] | None, typer.Option(help="unsafe class of a guard that is a classifier")] = None,
    judge_key_env: Annotated[list[str] | None, typer.Option(help="variable that holds its key")] = None,
    judge_dialect: Annotated[list[str] | None, typer.Option(help="openai, deepseek, anthropic, vllm, ...")] = None,
    orders: Annotated[str | None, typer.Option(help="both, or fixed: base first")] = None,
    tau_delta: Annotated[float | None, typer.Option(help="rise of toxicity that is screened [0.01]")] = None,
    sample: Annotated[
        float | None, typer.Option(help="pairs below the screen to judge: a number, or a share below 1 [30]")
    ] = None,
    noise: Annotated[int | None, typer.Option(help="texts judged against themselves [30]")] = None,
    seed: Annotated[int | None, typer.Option(help="of samples, resamples and answers [0]")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with these and more; options win")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="say what it would cost, and stop")] = False,
) -> None:
    """Audit whether fine-tuning made a model's explanations more harmful. Report, viewer and numbers as one folder.

    A side is a JSONL or CSV file of answers (id, text; optional prompt, gold, prediction, toxicity), or a checkpoint,
    an adapter or a model of the hub that answers --prompts. Works anywhere, asks nothing twice, says the cost first.
    """
    from dart.audit.folder import require_replaceable, write_audit
    from dart.audit.judge_options import judge_fields, panel_fields
    from dart.audit.page import claims
    from dart.audit.run import collect, describe, plan
    from dart.audit.settings import load_settings
    from dart.core.visible_text import visible

    judge_format = judge_format or ("classifier" if judge_label else None)
    fields = {"model": judge_model or [], "api_key_env": judge_key_env or [], "dialect": judge_dialect or [],
              "format": [judge_format] if judge_format else []}  # fmt: skip
    judges = panel_fields(judge, fields) if judge and len(judge) > 1 else []
    single = {name: values[0] for name, values in fields.items() if values}
    settings = load_settings(
        config,
        {
            "prompts": prompts,
            "classifier": _section(classifier, {"model": classifier, "label": classifier_label}),
            "judge": "none"
            if judge == ["none"]
            else (judges[0] if judges else judge_fields(judge[0] if judge else None, single, judge_label) or None),
            "panel": judges[1:] or None,
            "orders": orders,
            "tau_delta": tau_delta,
            "sample": sample,
            "noise": noise,
            "seed": seed,
        },
    )
    require_replaceable(out)
    audit_plan = plan([side for side in (base, tuned, third) if side is not None], settings)
    for line in describe(audit_plan):
        print(visible(line))
    evidence = collect(audit_plan, lambda line: print(visible(line), flush=True), estimate_only=estimate)
    if evidence is None:
        print("nothing was asked (--estimate)")
        return
    numbers = write_audit(evidence, out)
    for claim in (*claims(numbers), *numbers["limits"]):
        print(visible(f"- {claim}"))
    print(f"report   {out / 'index.html'}")


def _section(name: str | None, fields: dict[str, str | None]) -> Any:
    """The fields that were named as a mapping; "none" for a part that is not wanted, None if nothing was named."""
    if name == "none":
        return "none"
    return {key: value for key, value in fields.items() if value is not None} or None
