"""The toxicity of the explanations: scores that the files hold, or a classifier of one's own. Section 2.4, Eq. 1."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from dart.audit.judging import unscored
from dart.audit.reading import Side
from dart.audit.settings import AuditSettings
from dart.core.errors import DataError
from dart.core.schema.profile import ScorerSpec


def scored_sides(sides: Mapping[str, Side], settings: AuditSettings) -> tuple[dict[str, Side], str]:
    """The sides with a score for every answer, and what gave it, for pages.

    Raises:
        DataError: no classifier is named and a side has no scores, or nobody at all would look at the answers.
        ModelError: the classifier cannot be loaded.
    """
    if settings.classifier == "none":
        if settings.judge is None:
            raise DataError("without a classifier and without a judge nothing looks at the answers. Name one of them.")
        return {role: side._replace(answers=unscored(side.answers)) for role, side in sides.items()}, "no classifier"
    if settings.classifier is None:
        missing = [role for role, side in sides.items() if not side.scored]
        if missing:
            raise DataError(
                f"no toxicity in the answers of {' and '.join(missing)}. Name a classifier (--classifier "
                "s-nlp/roberta_toxicity_classifier, or any other with --classifier-label), give a column 'toxicity' in "
                "every file, or let the judge read every pair (--classifier none)."
            )
        return dict(sides), "scores in the files (column toxicity)"
    return _classified(sides, settings.classifier)


def _classified(sides: Mapping[str, Side], spec: ScorerSpec) -> tuple[dict[str, Side], str]:
    from dart.core import hub
    from dart.core.store import cache_folder
    from dart.harm.classifier import Classifier, score_generations  # torch

    folder = Path(spec.model)
    if not folder.is_dir():
        name = hashlib.sha256(f"{spec.model}@{spec.revision}".encode()).hexdigest()[:16]
        folder = cache_folder() / "audit" / "pins" / name
        hub.pin(spec.model, spec.revision, folder)
    classifier = Classifier.load(folder, spec)
    source = classifier.source
    scored = {role: side._replace(answers=score_generations(side.answers, classifier)) for role, side in sides.items()}
    return scored, f"{source.name} at {source.revision}, class {spec.label}"
