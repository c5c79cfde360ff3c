"""docs/run.md is the manual of `cellblock run`: the members of results, the options, the verdicts in it are those that exist."""

import json
import re

import pytest
from conftest import ROOT

PAGE = (ROOT / "docs/run.md").read_text()
SCHEMA = json.loads((ROOT / "docs/run-result.schema.json").read_text())


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]


def names_in_first_column(text):
    return {name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", row)}


def test_members_of_the_result_are_those_of_the_schema():
    assert names_in_first_column(section("The result")) == set(SCHEMA["properties"])
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"])


@pytest.mark.parametrize("member, schema", [
    ("limits", SCHEMA["properties"]["limits"]), ("denials", SCHEMA["properties"]["denials"]["items"]),
    ("network_events", SCHEMA["properties"]["network_events"]["items"])])
def test_members_of_members_are_those_of_the_schema(member, schema):
    (row,) = [line for line in section("The result").splitlines() if line.startswith(f"| `{member}` |")]
    named = set(re.findall(r"`([a-z_]+)`", row.split("|", 2)[2])) - {"null"}
    assert named == set(schema["required"])


def test_members_of_a_compilation_are_those_of_the_schema():
    said = set(re.findall(r"`([a-z_]+)`", section("The result").partition("\n`compile` has")[2]))
    stems = {f"{stream}{ending}" for stream in ("stdout", "stderr") for ending in ("", "_encoding", "_bytes", "_truncated")}
    spelled = (said - {"_encoding", "_bytes", "_truncated", "null"}) | stems
    assert spelled == set(SCHEMA["properties"]["compile"]["properties"])


def test_verdicts_are_those_of_the_schema():
    assert names_in_first_column(section("Verdicts")) == set(SCHEMA["properties"]["verdict"]["enum"])


def test_options_are_those_of_the_command():
    """docs/configuration.md has what --help says; a unit test compares those."""
    reference = (ROOT / "docs/configuration.md").read_text().partition("\n## cellblock run\n")[2].partition("\n## ")[0]
    options = set(re.findall(r"`(--[\w-]+)", reference))
    described = set(re.findall(r"`(--[\w-]+)", section("Usage")))
    assert len(options) > 30 and options == described
