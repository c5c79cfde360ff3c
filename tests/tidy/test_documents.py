"""Proofs that the documents name must exist: a claim whose test is gone is only a claim."""

import re

import pytest

from support.installation import ROOT

NAMED = re.compile(r"`([\w/]+\.(?:py|cpp))(?:::(\w+))?`")


def proofs():
    text = (ROOT / "docs/threat-model.md").read_text()
    return sorted(set(NAMED.findall(text)))


def test_the_threat_model_names_proofs():
    assert len(proofs()) > 40


@pytest.mark.parametrize("file, name", proofs())
def test_every_proof_exists(file, name):
    path = ROOT / (file if file.startswith("src/") else f"tests/{file}")
    assert path.is_file(), f"docs/threat-model.md names {file}"
    text = path.read_text()
    # A bare file stands for all of its tests.
    assert re.search(rf"\b{name}\b" if name else r"\bdef test_|\bTEST", text), f"docs/threat-model.md names {name} in {file}"
