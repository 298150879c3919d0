"""Stage `hatecheck` (Appendices O.4, O.5, P): as the other suites, and what is wrong in the failing subset.

The teacher rewrites the failing subset, and people label it on a blinded sheet; in the embedded world a simulated
person with the declared error rate fills the sheet in.
"""

from __future__ import annotations

from typing import Any

from dart.chat.tasks import Cost
from dart.core import layout, params
from dart.core.files import replacing, write_json, write_jsonl
from dart.external.adjudication import BlindedAnswer, labels_of, read_labels, rows, sheet
from dart.external.analysis import suite_report
from dart.external.hatecheck import failing, hate_on_labels, hatecheck_report, require_upright
from dart.external.items import ExternalItem
from dart.external.rewriting import rewrite
from dart.harm.classifier import Classifier
from dart.simulation.annotators import adjudicate
from stages.clients import client_for
from stages.external.reading import pairs_of, sample_of

SUITE = "hatecheck"


def run() -> None:
    given = params.load(f"external/dvc.yaml:{SUITE}")
    confidence, seed, share = given.statistics.confidence, given.seed, given.world("external").failing_share
    card, items = sample_of(SUITE, given.students)
    toxicity, hate = (
        Classifier.load(layout.SCORERS / kind, given.world("scorers")[kind]) for kind in ("toxicity", "hate")
    )
    agreement = _checked(given, card, items, hate)
    students, costs = {}, []
    with replacing(layout.external_review(SUITE)) as folder:
        for student in given.students:
            pairs = pairs_of(SUITE, student)
            part = failing(pairs, share)
            client = client_for(given, "teacher")
            rewrites, outcome = rewrite(part, client, toxicity, hate, given.repair, given.distill)
            outcome.require_complete(given.stage)
            costs.append(outcome.usage.cost)
            write_jsonl(folder / student / "rewrites.jsonl", rewrites)
            shown = rows(part, seed)
            (folder / student / "sheet.csv").write_text(sheet(shown), encoding="utf-8")
            labels = _labels(given, student, shown)
            students[student] = hatecheck_report(
                pairs, card, share, rewrites, labels, confidence, seed
            )  # fmt: skip
        total = {name: sum(getattr(cost, name) for cost in costs) for name in Cost.model_fields}
        write_json(folder / "cost.json", total, digits=6)
    write_json(layout.external_metrics(SUITE), suite_report(card, students, hate_auc_on_labels=agreement))


def _checked(
    given: params.StageParams, card: dict[str, Any], items: list[ExternalItem], hate: Classifier
) -> dict[str, Any]:
    """AUC of the hate score on HateCheck's own labels; an upside-down one stops the stage.

    Not so the embedded classifier on the published suite, which it cannot read: there the AUC is only reported.
    """
    found = hate_on_labels(items, hate.score([item.prompt for item in items]))
    if given.world("label") == "measured" or card["provenance"]["source"] == "embedded":
        require_upright(found)
    return found.json()


def _labels(given: params.StageParams, student: str, shown: list[BlindedAnswer]) -> dict[str, Any]:
    world = given.world("world")
    if world is None:
        return dict(labels_of(layout.external_labels(given.profile, student)))
    said = adjudicate(shown, world.annotators.error, given.seed)
    return dict(read_labels(sheet(shown, said), "the simulated sheet"))
