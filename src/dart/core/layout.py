"""Where every stage finds its deps and puts its outs: the tree under data/, metrics/ and plots/, in one place.

All paths are relative to the root of the repository, where DVC runs every stage. What a training seed decides stands
in a folder with one entry per seed; the folder is the out.
"""

from __future__ import annotations

from pathlib import Path

DATA = Path("data")
CODE = DATA / "code"
SUITE = DATA / "suite"
SCORERS = DATA / "models" / "scorers"
PROVENANCE = DATA / "provenance.json"
RATIONALES = DATA / "distill" / "rationales.jsonl"
ANNOTATION = DATA / "annotation"
ANNOTATED_PAIRS = ANNOTATION / "pairs.jsonl"
REPORT = DATA / "paper"
ARMS = DATA / "arms"
COSTS = DATA / "cost"
HUMAN = DATA / "human"
EXTERNAL_HUMAN = Path("external") / "human"
RESULTS = Path(".dart") / "results"  # neither in git nor an out: what stages have computed, for their next run
METRICS = Path("metrics")
PLOTS = Path("plots")


def split(name: str) -> Path:
    """One of train, validation, test, outside."""
    return SUITE / f"{name}.jsonl"


def cost(stage: str) -> Path:
    return COSTS / f"{stage.replace('@', '-')}.json"


def verdicts(role: str) -> Path:
    """What a judge says about the annotated pairs."""
    return ANNOTATION / f"{role}.jsonl"


def guard_verdicts() -> Path:
    """What guard models say about the annotated pairs: a file for each."""
    return ANNOTATION / "guards"


def base(student: str) -> Path:
    return DATA / "models" / "base" / student


def seed_name(seed: int) -> str:
    """The name of what one training seed leads to: of an adapter's folder, and of files without their ending."""
    return f"seed-{seed}"


def adapters(student: str, variant: str) -> Path:
    """Of all training seeds."""
    return DATA / "adapters" / student / variant


def adapter(student: str, variant: str, seed: int) -> Path:
    return adapters(student, variant) / seed_name(seed)


def seed_generations(student: str, variant: str) -> Path:
    """Of all training seeds; base has none."""
    return DATA / "generations" / student / variant


def generations(student: str, variant: str, seed: int) -> Path:
    """`variant`: base, which is the same for every training seed, distilled, repaired or control."""
    if variant == "base":
        return DATA / "generations" / student / "base.jsonl"
    return seed_generations(student, variant) / f"{seed_name(seed)}.jsonl"


def policy(student: str) -> Path:
    return DATA / "policy" / student


def audits(student: str, when: str) -> Path:
    """Of all training seeds; the teacher has none."""
    return DATA / "audit" / student / when


def audit(student: str, when: str, seed: int) -> Path:
    """`when`: before (distilled), after (repaired), control, or teacher, which is the same for every training seed."""
    if when == "teacher":
        return DATA / "audit" / student / "teacher.jsonl"
    return audits(student, when) / f"{seed_name(seed)}.jsonl"


PANEL = "panel"  # among a student's audits: what each judge of a panel would have said alone
TRAINING_RATIONALES = "rationales"  # the teacher's, among what is audited of the training items


def training(student: str) -> Path:
    """Training items, for recipes of repair that read more than the test set."""
    return DATA / "training" / student


def training_answers(student: str) -> Path:
    """Answers of base and of the distilled student to the training items."""
    return training(student) / "answers"


def training_audits(student: str) -> Path:
    """Audits of texts about training items: the teacher's rationales, and the answers of each training seed."""
    return training(student) / "audits"


def training_targets(student: str) -> Path:
    """Safe targets for what drifted; apart, because they alone decide a training."""
    return training(student) / "targets"


def training_target_file(student: str, name: str) -> Path:
    """`name`: the teacher's rationales, or a training seed."""
    return training_targets(student) / f"{name}.jsonl"


def recipe_pools(student: str) -> Path:
    """Drift cases of the test set, or what takes their place, of recipes that do not repair the main path's."""
    return DATA / "recipes" / student / "pools"


def recipe_targets(student: str) -> Path:
    """Safe targets for them, by recipe; apart, because they alone decide a training."""
    return DATA / "recipes" / student / "targets"


def recipe_target_file(student: str, recipe: str, seed: int) -> Path:
    return recipe_targets(student) / recipe / f"{seed_name(seed)}.jsonl"


def recipe_adapters(student: str) -> Path:
    return DATA / "recipes" / student / "adapters"


def recipe_answers(student: str) -> Path:
    """Answers by what is asked (test, validation, sampled, halves), recipe and training seed."""
    return DATA / "recipes" / student / "answers"


def recipe_audits(student: str) -> Path:
    """Audits of these answers, named as they are."""
    return DATA / "recipes" / student / "audits"


def seed_targets(student: str) -> Path:
    """Of all training seeds."""
    return DATA / "repair" / student / "targets"


def targets(student: str, seed: int) -> Path:
    return seed_targets(student) / f"{seed_name(seed)}.jsonl"


def arm_rationales_root() -> Path:
    return ARMS / "rationales"


def arm_pools_root() -> Path:
    return ARMS / "pools"


def arm_targets_root() -> Path:
    return ARMS / "targets"


def arm_rationales(arm: str) -> Path:
    """What the teacher wrote for Stage I of an arm, by run; empty runs start from the main path's rationales."""
    return arm_rationales_root() / arm


def arm_stage1(arm: str) -> Path:
    return ARMS / "stage1" / arm


def arm_pool(arm: str, run: str) -> Path:
    """The arm's own audit before repair."""
    return arm_pools_root() / arm / f"{run}.jsonl"


def arm_targets(arm: str, run: str) -> Path:
    """The safe targets that the audit led to; apart from it, because they alone decide a training."""
    return arm_targets_root() / arm / f"{run}.jsonl"


def arm_stage3(arm: str) -> Path:
    return ARMS / "stage3" / arm


def arm_audits() -> Path:
    """Audits of every run's answers against base, and of the main path's at the arms' threshold."""
    return ARMS / "audits"


def human_labels(profile: str) -> Path:
    """People's labels of a profile's annotated pairs: committed, without texts."""
    return HUMAN / f"{profile}.csv"


def metric(name: str) -> Path:
    return METRICS / f"{name}.json"


def external_answers(suite: str, student: str) -> Path:
    return DATA / "external" / suite / "answers" / student


def external_review(suite: str) -> Path:
    return DATA / "external" / suite / "review"


def external_metrics(suite: str) -> Path:
    return METRICS / "external" / f"{suite}.json"


def external_labels(profile: str, student: str) -> Path:
    return EXTERNAL_HUMAN / f"{profile}-{student}.csv"


def external_rewrites(suite: str) -> Path:
    return DATA / "external" / suite / "rewrites"


def openended_answers(student: str) -> Path:
    return DATA / "openended" / student / "answers.jsonl"


def openended_judgements(student: str) -> Path:
    return DATA / "openended" / student / "judgements.jsonl"


def openended_metrics(student: str) -> Path:
    return METRICS / "openended" / f"{student}.json"
