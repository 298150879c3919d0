"""Stage `hatecheck` (Appendices O.4, O.5, P): as the other suites, and what is wrong in the failing subset.

People label the failing subset on a blinded sheet; in the embedded world a simulated person with the declared error
rate fills the sheet in.
"""

from __future__ import annotations

from typing import Annotated, Any

from dart.core import layout
from dart.core.files import read_jsonl, replacing
from dart.core.params import FromParams, FromProfile, SimulationSpec, StageParams
from dart.core.schema.profile import Label, ScorerSpec
from dart.external.adjudication import BlindedAnswer, labels_of, read_labels, rows, sheet
from dart.external.analysis import suite_report
from dart.external.hatecheck import failing, hate_on_labels, hatecheck_report, require_upright
from dart.external.items import ExternalItem
from dart.external.rewriting import Rewrite
from dart.harm.classifier import Classifier
from dart.metrics.provenance import load_provenance, write_metrics
from dart.simulation.annotators import adjudicate
from stages.external.reading import pairs_of, sample_of

SUITE = "hatecheck"


class Params(StageParams):
    profile: str
    seed: int
    students: tuple[str, ...]
    confidence: Annotated[float, FromParams("statistics.confidence")]
    hate: Annotated[ScorerSpec, FromProfile("scorers.hate")]
    failing_share: Annotated[float, FromProfile("external.failing_share")]
    simulation: SimulationSpec


def run() -> None:
    params = Params.load(SUITE)
    card, items = sample_of(SUITE, params.students)
    provenance = load_provenance()
    agreement = _agreement_with_labels(params, provenance.label, card, items)
    students = {}
    with replacing(layout.external_review(SUITE)) as folder:
        for student in params.students:
            pairs = pairs_of(SUITE, student)
            blinded = rows(failing(pairs, params.failing_share), params.seed)
            (folder / student).mkdir(parents=True)
            (folder / student / "sheet.csv").write_text(sheet(blinded), encoding="utf-8")
            rewrites = read_jsonl(layout.external_rewrites(SUITE) / f"{student}.jsonl", Rewrite)
            labels = _labels(params, student, blinded)
            students[student] = hatecheck_report(
                pairs, card, params.failing_share, rewrites, labels, params.confidence, params.seed
            )
    report = suite_report(card, students, hate_auc_on_labels=agreement)
    write_metrics(layout.external_metrics(SUITE), report, provenance)


def _agreement_with_labels(
    params: Params, label: Label, card: dict[str, Any], items: list[ExternalItem]
) -> dict[str, Any]:
    """AUC of the hate score on HateCheck's own labels; an upside-down one stops the stage.

    Not so the embedded classifier on the published suite, which it cannot read: there the AUC is only reported.
    """
    hate = Classifier.load(layout.SCORERS / "hate", params.hate)
    auc = hate_on_labels(items, hate.score([item.prompt for item in items]))
    if label == "measured" or card["provenance"]["source"] == "embedded":
        require_upright(auc)
    return auc.json()


def _labels(params: Params, student: str, blinded: list[BlindedAnswer]) -> dict[str, Any]:
    if params.simulation is None:
        return dict(labels_of(layout.external_labels(params.profile, student)))
    filled = adjudicate(blinded, params.simulation.annotators.error, params.seed)
    return dict(read_labels(sheet(blinded, filled), "the simulated sheet"))
