"""What a million prompts and students of 70 billion parameters would take: the arithmetic behind docs/scaling.md.

Nothing is measured here but what is named so; every assumption is a constant or an option. Linear in the prompts.

    python benchmarks/scale_plan.py
    python benchmarks/scale_plan.py --prompts 100000 --parameters 8e9 --seeds 5
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

TRAIN_SHARE = 0.75  # of the prompts; the rest is the test set
PROMPT_TOKENS, ANSWER_TOKENS = 190, 110  # of the published suite with Llama's tokenizer
TEACHER_TOKENS, JUDGE_TOKENS = (400, 90), (750, 110)  # prompt, answer
EPOCHS = {"Stage I": 3.0, "repair": 1.1, "control": 1.1}  # passes over the training set; repair adds weighted targets
VARIANTS = 4  # base, distilled, repaired, control answer the test set
POLICY_PASSES = 3  # second passes of base, distilled and repaired
SCREENED, DRIFT = 0.46, 0.10  # shares of the pairs: judged, confirmed
AUDITS = 3  # distilled, repaired, control against base
PEAK_FLOPS = 989e12  # H100, bf16, dense
TRAINING_MFU, ANSWERING_MFU = 0.40, 0.15  # FSDP with recomputed layers; vLLM, prompts and answers together
TRAINING_FLOPS, ANSWERING_FLOPS = 6, 2  # per parameter and token: forward, again, backward without weights; forward
GPU_USD, DISK_USD = 2.50, 0.023  # an H100 for an hour; a GB for a month
TEACHER_USD = (0.30, 1.20)  # per million tokens of prompt and answer, profiles/paper.yaml; batches: half
JUDGE_PARAMETERS = 3.3e9  # active ones of the judge of profiles/paper.yaml, which has open weights
REQUESTS_PER_MINUTE = 10_000  # what a provider grants
CLIENT_CPU_S = 0.0012  # per request (benchmarks/chat_latency.py)
SECONDS_PER_ITEM = {"evaluate": 0.0136, "paper": 0.0015}  # CPU, two students (benchmarks/growth.py)
ADAPTER_SHARE, RECORD_KB = 0.0030, 1.2  # rank 16 on all projections of a 70B; an answer as JSON


class Line(NamedTuple):
    """One row of the plan."""

    work: str
    engine: str
    amount: str
    gpu_hours: float = 0.0
    api_tokens: float = 0.0  # millions
    usd: float = 0.0


def gpu(work: str, engine: str, tokens: float, parameters: float, flops: int, mfu: float, amount: str) -> Line:
    """GPU hours of `tokens` tokens."""
    hours = tokens * flops * parameters / (PEAK_FLOPS * mfu) / 3600
    return Line(work, engine, amount, gpu_hours=hours, usd=hours * GPU_USD)


def api(work: str, requests: float, tokens: tuple[int, int], usd: tuple[float, float]) -> Line:
    """Tokens and dollars of `requests` requests at the list price."""
    millions = [requests * each / 1e6 for each in tokens]
    price = sum(amount * each for amount, each in zip(millions, usd, strict=True))
    hours = requests / REQUESTS_PER_MINUTE / 60
    amount = f"{requests:,.0f} requests, {hours:.1f} h at {REQUESTS_PER_MINUTE:,} a minute"
    return Line(work, "chat client, `DART_BATCH` halves the price", amount, api_tokens=sum(millions), usd=price)


def plan(prompts: float, parameters: float, seeds: int, students: int) -> list[Line]:
    """Every part of a run with this many prompts, for `students` students of `parameters` parameters each."""
    train, test = prompts * TRAIN_SHARE, prompts * (1 - TRAIN_SHARE)
    row = PROMPT_TOKENS + ANSWER_TOKENS
    lines = [api("Stage I: rationales (`distill`)", train, TEACHER_TOKENS, TEACHER_USD)]
    for name, epochs in EPOCHS.items():
        tokens = train * epochs * row * seeds * students
        lines.append(gpu(f"{name}: training", "FSDP (`accelerate launch`), 8 GPUs a job", tokens, parameters,
                         TRAINING_FLOPS, TRAINING_MFU, f"{tokens / 1e6:,.0f} M tokens"))  # fmt: skip
    trained = (VARIANTS - 1) * seeds + 1
    answers = test * students * (trained + POLICY_PASSES)
    lines.append(gpu("answers (`generate`, `regenerate`, `control`, `policy`)", "vLLM, 4 GPUs a server",
                     answers * row, parameters, ANSWERING_FLOPS, ANSWERING_MFU, f"{answers:,.0f} answers"))  # fmt: skip
    judged = test * SCREENED * AUDITS * seeds * students
    lines.append(gpu("audits (`audit`, `reaudit`)", "vLLM, 1 GPU", judged * sum(JUDGE_TOKENS), JUDGE_PARAMETERS,
                     ANSWERING_FLOPS, ANSWERING_MFU, f"{judged:,.0f} judgements"))  # fmt: skip
    lines.append(api("safe targets (`targets`)", test * DRIFT * seeds * students, TEACHER_TOKENS, TEACHER_USD))
    cpu = test * students / 2 * sum(SECONDS_PER_ITEM.values()) + CLIENT_CPU_S * (train + judged)
    lines.append(Line("statistics, report, client", "one node", f"{cpu / 3600:.1f} CPU hours"))
    disk = answers * RECORD_KB / 1e6 + (3 * seeds * students) * parameters * ADAPTER_SHARE * 4 / 1e9
    lines.append(Line("outs", "object storage as DVC remote", f"{disk:,.0f} GB, a month", usd=disk * DISK_USD))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=float, default=1e6)
    parser.add_argument("--parameters", type=float, default=70e9)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--students", type=int, default=1)
    arguments = parser.parse_args()
    lines = plan(arguments.prompts, arguments.parameters, arguments.seeds, arguments.students)
    print("| work | on | amount | GPU hours | API tokens, M | USD |\n|---|---|---|---|---|---|")
    for line in lines:
        cells = (
            f"{line.gpu_hours:,.0f}" if line.gpu_hours else "",
            f"{line.api_tokens:,.0f}" if line.api_tokens else "",
        )
        print(f"| {line.work} | {line.engine} | {line.amount} | {' | '.join(cells)} | {line.usd:,.0f} |")
    totals = [sum(getattr(line, name) for line in lines) for name in ("gpu_hours", "api_tokens", "usd")]
    print(f"| **all** | | | {' | '.join(f'{total:,.0f}' for total in totals)} |")


if __name__ == "__main__":
    main()
