"""Stage `prompts@SUITE` (Appendix O.1): write or read an external suite, draw the sample, say where it came from."""

from __future__ import annotations

from dart import params
from dart.embedded.external import NOTE, embedded_files
from dart.external.files import published_files
from dart.external.items import SuiteName
from dart.external.loaders import load_suite
from dart.external.pins import ORIGINS
from dart.external.sample import draw_sample, suite_card
from dart.records import replacing, write_json, write_jsonl
from dart.settings.world import ExternalSpec
from stages.external import paths


def run(suite: SuiteName) -> None:
    given = params.load(f"external/dvc.yaml:prompts@{suite}")
    spec: ExternalSpec = given.world("external")
    if spec.source == "embedded":
        items = load_suite(suite, embedded_files(suite, given.seed))
        provenance = {"source": "embedded", "note": NOTE}
    else:
        items = load_suite(suite, published_files(suite, None))
        provenance = {"source": "published", **ORIGINS[suite]._asdict()}
    sample = draw_sample(items, getattr(spec.sizes, suite), given.seed)
    with replacing(paths.prompts(suite)) as folder:
        write_jsonl(folder / "prompts.jsonl", sample)
        write_json(folder / "card.json", suite_card(suite, items, sample, provenance))
