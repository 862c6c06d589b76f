"""CITATION.cff names MedVista and the three papers it stands on."""

from pathlib import Path

import yaml


def test_the_three_papers_are_cited() -> None:
    citation = yaml.safe_load(Path("CITATION.cff").read_text())
    assert citation["license"] == "Apache-2.0"
    cited = {reference["identifiers"][0]["value"]: reference["title"] for reference in citation["references"]}
    assert set(cited) == {"arXiv:2601.07107", "arXiv:2511.19773", "arXiv:2604.08203"}
    assert all(reference["authors"] for reference in citation["references"])
