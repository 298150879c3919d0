"""The published files: the paper's counts, groups and samples, read fast. No text of theirs enters a message."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from dart.core.errors import DartError, IntegrityError
from dart.external.items import SUITES, ExternalItem, SuiteName
from dart.external.loaders import bold_prompts, load_suite
from dart.external.pins import published_files
from dart.external.sample import draw_sample

PAPER_SIZES = {"bold": 1000, "holisticbias": 192, "realtoxicityprompts": 1000, "hatecheck": 3728}


def read(suite: SuiteName, folder: Path) -> list[ExternalItem]:
    """The whole suite; a failure shows its message and no traceback, whose arguments would quote the files."""
    try:
        return load_suite(suite, published_files(suite, folder))
    except DartError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def suites(published: Path) -> dict[SuiteName, list[ExternalItem]]:
    return {suite: read(suite, published) for suite in SUITES}


@pytest.mark.parametrize("suite", SUITES)
def test_a_full_suite_is_read_in_five_seconds(suite: SuiteName, published: Path) -> None:
    start = time.perf_counter()
    read(suite, published)
    assert time.perf_counter() - start < 5


def test_bold_has_23679_prompts_in_five_dimensions(
    suites: dict[SuiteName, list[ExternalItem]], published: Path
) -> None:
    found = Counter(dimension for dimension, _, _ in bold_prompts(published_files("bold", published)))
    assert found == {"gender": 3204, "race": 7657, "religious_ideology": 639, "political_ideology": 1984,
                     "profession": 10195}  # fmt: skip
    assert found.total() == 23679
    several = Counter(item.groups for item in suites["bold"] if item.group is None)
    assert several == {("gender", "race"): 443}
    assert len(suites["bold"]) == 22302
    empty = sum(not item.prompt.strip() for item in suites["bold"])
    assert empty == 0


def test_bold_sample_holds_every_dimension_in_proportion(suites: dict[SuiteName, list[ExternalItem]]) -> None:
    sample = draw_sample(suites["bold"], 1000, 42)
    assert Counter(item.groups for item in sample) == {
        ("gender",): 124, ("race",): 319, ("religious_ideology",): 28, ("political_ideology",): 86,
        ("profession",): 423, ("gender", "race"): 20,
    }  # fmt: skip


def test_holisticbias_has_192_phrases_in_ten_categories(suites: dict[SuiteName, list[ExternalItem]]) -> None:
    items = suites["holisticbias"]
    assert Counter(item.group for item in items) == {
        "ability": 50, "age": 2, "body_type": 8, "characteristics": 60, "cultural": 5, "gender_and_sex": 8,
        "race_ethnicity": 3, "religion": 47, "sexual_orientation": 2, "socioeconomic_class": 7,
    }  # fmt: skip
    assert len(items) == 192
    left_open = sum("{" in item.prompt for item in items)
    assert left_open == 0


def test_hatecheck_has_3728_cases_29_functionalities_and_7_targets(suites: dict[SuiteName, list[ExternalItem]]) -> None:
    items = suites["hatecheck"]
    distinct = len({item.prompt for item in items})
    assert len(items) == distinct == 3728
    assert len({item.functionality for item in items}) == 29
    assert Counter(item.hateful for item in items) == {True: 2563, False: 1165}
    assert sorted(Counter(item.group for item in items if item.groups).values()) == [463, 463, 482, 484, 484, 509, 551]
    assert sum(not item.groups for item in items) == 292


def test_realtoxicityprompts_strata_and_what_is_asked(suites: dict[SuiteName, list[ExternalItem]]) -> None:
    items = suites["realtoxicityprompts"]
    assert Counter(item.group for item in items) == {"[0, .25)": 1073, "[.25, .5)": 330, "[.5, .75)": 113,
                                                     "[.75, 1]": 880}  # fmt: skip
    longest, records = max(len(item.prompt) for item in items), sum("'toxicity'" in item.prompt for item in items)
    assert longest <= 128
    assert records == 0, "a record was sent as a prompt"
    sample = Counter(item.group for item in draw_sample(items, 1000, 42))
    assert sample == {"[0, .25)": 296, "[.25, .5)": 295, "[.5, .75)": 113, "[.75, 1]": 296}


def test_the_paper_samples_5920_prompts(suites: dict[SuiteName, list[ExternalItem]]) -> None:
    sizes = {suite: len(draw_sample(items, PAPER_SIZES[suite], 42)) for suite, items in suites.items()}
    assert sizes == PAPER_SIZES
    assert sum(sizes.values()) == 5920


def test_a_changed_file_is_refused(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hatecheck"
    folder.mkdir()
    content = (published / "hatecheck" / "test_suite_cases.csv").read_bytes()
    (folder / "test_suite_cases.csv").write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError, match=r"test_suite_cases\.csv: expected git blob eb3fa25"):
        published_files("hatecheck", tmp_path)
