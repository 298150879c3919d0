"""The report of an audit as one HTML page, and the viewer of its samples beside it: `index.html` and `viewer.html`.

The report has no text of a prompt or an answer, so it can be mailed; texts are in the viewer, masked. Both open from
disk, fetch nothing, and share their styles with the pages of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import dart.report
from dart.audit.results import Evidence
from dart.audit.tables import VARIANT, VIEWER, tables, word
from dart.core.records import Generation
from dart.core.visible_text import visible
from dart.report.cells import count_bounds, share, share_bounds
from dart.report.page import breakable
from dart.report.table import NOT_RUN, percent
from dart.viewer.archive import archive, pack, unpack
from dart.viewer.page import viewer_html
from dart.viewer.samples import Samples, SeedSamples, StudentSamples

_FOLDERS = [Path(__file__).parent / "templates", Path(str(dart.report.__file__)).parent / "templates"]
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDERS),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["breakable"] = breakable
SLOT = "audit"  # of the viewer, which shows students


def report_html(evidence: Evidence, numbers: Mapping[str, Any]) -> str:
    """index.html."""
    drawn = tables(evidence, numbers)
    return _ENVIRONMENT.get_template("audit.html.j2").render(
        title=title(numbers),
        claims=claims(numbers),
        limits=numbers["limits"],
        facts=facts(evidence, numbers),
        tables=[table for table, _ in drawn],
        links={table.stem: cells for table, cells in drawn},
        viewer=VIEWER,
        not_run=NOT_RUN,
    )


def title(numbers: Mapping[str, Any]) -> str:
    sides = numbers["sides"]
    names = [side["name"] for side in sides.values()]
    if len(set(names)) < len(names):
        names = list(sides)
    return f"Audit: {' and '.join(names[1:])} against {names[0]}"


def claims(numbers: Mapping[str, Any]) -> list[str]:
    """What was found, one sentence each; an interval of differences that holds 0 is called undecided."""
    n, said = numbers["n"], []
    for role, candidate in numbers["candidates"].items():
        if numbers["confirmed_by"] == "none":
            said.append(
                f"{role}: the toxicity of {candidate['cases']} of {n} explanations rises by more than the threshold "
                f"({share(candidate['rate'])}); nobody has confirmed that they are more harmful."
            )
            continue
        cases, rate = candidate["cases"], share(candidate["rate"])
        sentence = f"{role}: {cases} of {n} explanations are more harmful than base's ({rate})"
        severe = [candidate.get("severities", {}).get(name, 0) for name in ("severe", "extreme")]
        if any(severe):
            sentence += f", {severe[0]} of them severe and {severe[1]} extreme"
        said.append(sentence + ".")
        corrected = candidate["corrected_rate"]
        if corrected.get("sampled"):
            said.append(
                f"{role}: with what the screen passes over, {share(corrected)}: of {corrected['sampled']} pairs drawn "
                f"below it the judge calls {corrected['sampled_cases']} more harmful."
            )
        noise = candidate.get("noise")
        if noise is not None:
            said.append(
                f"{role}: the judge calls {noise['cases']} of {noise['judged']} texts more harmful than themselves "
                f"({percent(noise['estimate'])}{' ' + share_bounds(noise['ci']) if noise['ci'] else ''})."
            )
    if flow := numbers.get("third_against_tuned"):
        said.append(
            f"From tuned to third {flow['gone']} {word(numbers)} are gone, {flow['new']} are new and {flow['kept']} "
            f"stay: net {flow['net']} fewer {count_bounds(flow['net_ci'])}{_undecided(flow['net_ci'])}."
        )
    return said


def _undecided(ci: list[float] | None) -> str:
    return ", which may be chance" if ci is not None and ci[0] <= 0 <= ci[1] else ""


def facts(evidence: Evidence, numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader of a mailed page must be able to trace."""
    settings = evidence.settings
    judge = settings.judge
    parties = ", ".join(f"{each.party.model} {each.where}" for each in settings.members.values())
    asked = "none" if judge is None else f"{'the majority of ' if settings.panel else ''}{parties}, {judge.format}"
    if judge is not None and judge.grades:
        asked += f", {'both orders' if settings.orders == 'both' else 'base first'}, {settings.votes} vote(s) each"
    pairs = [(role, side["about"]) for role, side in numbers["sides"].items()]
    pairs += [("prompts", f"{numbers['n']}, {'with' if evidence.prompts.has_gold else 'without'} gold labels")]
    pairs += [("toxicity", numbers["scored_by"]), ("judge", asked)]
    if evidence.scored:
        pairs.append(("τ", f"{settings.tau_delta:g}, {settings.screen}"))
    return [*pairs, ("seed", str(settings.seed)), ("numbers", "audit.json, unrounded")]


def samples_html(evidence: Evidence, numbers: Mapping[str, Any]) -> str:
    """viewer.html: every prompt with all answers, for the script of a run's viewer."""
    return viewer_html([_archive(evidence, numbers)], f"Samples: {title(numbers)}")


def _archive(evidence: Evidence, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The samples in the viewer's format, with the names of this audit's sides and without what it does not know."""
    base, *candidates = (_variant(evidence, role) for role in evidence.sides)
    seed = SeedSamples(
        seed=evidence.settings.seed,
        answers={answers[0].variant: answers for answers in candidates},
        audits={VARIANT[role]: tuple(audited.records) for role, audited in evidence.audited.items()},
    )
    student = StudentSamples(slot=SLOT, name=evidence.sides["base"].name, base=base, seeds=(seed,))
    samples = Samples(
        label="measured",
        profile="dart audit",
        items=tuple(evidence.prompts.items),
        names={},
        real=True,
        students=(student,),
    )
    content = archive(samples) | {"title": title(numbers), "about": _about(numbers)}
    content["labels"] = {VARIANT[role]: role for role in evidence.sides}
    if evidence.confirmed_by != "judge":
        content["case"] = "candidate" if evidence.confirmed_by == "none" else "drift"
    if not evidence.prompts.has_gold:
        items = unpack(content["items"])
        content["items"] = pack({**items, "gold": [""] * len(items["gold"]), "condition": [""] * len(items["gold"])})
    if not evidence.scored:
        content["chunks"] = {key: _without_scores(chunk) for key, chunk in content["chunks"].items()}
    return content


def _about(numbers: Mapping[str, Any]) -> str:
    sides = "; ".join(f"{role}: {side['about']}" for role, side in numbers["sides"].items())
    return f"Every prompt with what each side answered ({sides}); texts are masked until you ask for them."


def _variant(evidence: Evidence, role: str) -> tuple[Generation, ...]:
    """The answers under the viewer's name of the side."""
    return tuple(each.model_copy(update={"variant": VARIANT[role]}) for each in evidence.sides[role].answers)


def _without_scores(chunk: str) -> str:
    """Answers and audits without the zeros that stand where no classifier looked."""
    content = unpack(chunk)
    for group, names in (("answers", ("toxicity",)), ("audits", ("toxicity", "delta"))):
        for columns in content.get(group, {}).values():
            for name in names:
                columns[name] = [None] * len(columns[name])
    return pack(content)
