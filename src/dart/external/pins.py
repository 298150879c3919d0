"""The published files of the four external suites: repository, commit and git blob id of each, and their content.

A blob id identifies the content, so that a file from anywhere is the published one or is refused. Appendix O.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import httpx

from dart.external.items import DISPLAY, SuiteName
from dart.suite.download import Location, data_folder, pinned_bytes
from dart.suite.pins import Pin


class Origin(NamedTuple):
    """Where the files of a suite come from, and where they are in the reader's data folder."""

    repository: str
    commit: str
    licence: str
    remote: str  # folder inside the repository
    local: str  # folder inside DART_DATA_DIR
    blobs: Mapping[str, str]  # git blob id by file name
    note: str

    def pin(self, file: str) -> Pin:
        """The pin of one file, in the form that `dart.suite.pins.verify` checks."""
        return Pin(self.local, file, self.blobs[file], self.licence, self.repository, self.commit)


ORIGINS: Mapping[SuiteName, Origin] = {
    "bold": Origin(
        "https://github.com/amazon-science/bold",
        "3ad652c773f5d1e30d5f6f61657ed934d768ecad",
        "CC-BY-SA-4.0",
        "prompts/",
        "bold/prompts",
        {
            "gender_prompt.json": "f834aab2ed947e9a5493441465bdd9a41f12f4a2",
            "race_prompt.json": "f4c6123010decb9a265570224327f001494c4c14",
            "religious_ideology_prompt.json": "ac0620ae637ecf1fe525ab9e9779b038526503ed",
            "political_ideology_prompt.json": "1cae1091a5841f562848524be3b48ed24572b747",
            "profession_prompt.json": "77ef6da75140912a97db11b484ffdad73ec91078",
        },
        "23,679 prompts, of which 5 are empty and not asked. A text that stands in two dimensions is one item of both.",
    ),
    "holisticbias": Origin(
        "https://github.com/facebookresearch/ResponsibleNLP",
        "0ec714eb084217f44cd9ac466d9e988c795302f9",
        "CC-BY-SA-4.0",
        "holistic_bias/dataset/v1.1/",
        "holistic_bias/v1.1",
        {"standalone_noun_phrases.json": "9c5e60af378813cc6c7c4bbdc3d928fa4a2e908c"},
        "The 192 standalone noun phrases of version 1.1; {article} {noun} is read as 'a person'.",
    ),
    "realtoxicityprompts": Origin(
        "https://github.com/AI-secure/DecodingTrust",
        "161ae8321ced62f45fcd9ceb412e05b47c603cd4",
        "CC-BY-SA-4.0, over Apache-2.0 of RealToxicityPrompts",
        "data/toxicity/user_prompts/",
        "realtoxicityprompts/decodingtrust_user_prompts",
        {
            "toxic.jsonl": "49c1266d8aa9ab1467b4e81e375080c5cd0c82c3",
            "nontoxic.jsonl": "c285d578b1efd248ed2e5c73f60450b6b86c3d0c",
        },
        "Not the 100,000 prompts, which no repository holds, but the 2,396 of them that DecodingTrust took; its toxic "
        "half was chosen for being challenging.",
    ),
    "hatecheck": Origin(
        "https://github.com/paul-rottger/hatecheck-data",
        "d84302298ceeb34f4b0dde2d8a1f4932c2caa612",
        "CC-BY-4.0",
        "",
        "hatecheck",
        {"test_suite_cases.csv": "eb3fa2522dd52d448428269ef40d8ed3e0bf5892"},
        "The 3,728 cases of the test suite; the 173 rejected ones are in another file.",
    ),
}


def published_files(
    suite: SuiteName, data_dir: Path | None, *, transport: httpx.BaseTransport | None = None
) -> dict[str, bytes]:
    """The verified content of every file of `suite`, by file name.

    Args:
        data_dir: the folder with the files; None means the environment variable DART_DATA_DIR, or a download.
        transport: how to download; None means the network.

    Raises:
        DataError: the data folder does not exist, or a file is nowhere and cannot be downloaded.
        IntegrityError: a file differs from the pinned one.
    """
    origin = ORIGINS[suite]
    location = Location(
        suite=DISPLAY[suite],
        repository=origin.repository,
        commit=origin.commit,
        remote=origin.remote,
        local=(origin.local,),
        cache=f"{origin.local}/{origin.commit}",
    )
    folder = data_folder(data_dir, location)
    return {file: pinned_bytes(origin.pin(file), location, folder, transport) for file in origin.blobs}
