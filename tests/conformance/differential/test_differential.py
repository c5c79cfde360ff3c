"""Every scenario of scenarios/: the same messages from ipykernel and from the kernel under test.

With `--kernel python3` ipykernel is compared with itself, which shows whether a scenario depends on chance.
"""

import importlib
import pkgutil
from collections import Counter

import pytest

from differential import scenarios
from differential.record import differences, judge, record_of

SCENARIOS = [scenario for module in sorted(pkgutil.iter_modules(scenarios.__path__), key=lambda m: m.name)
             for scenario in importlib.import_module(f"{scenarios.__name__}.{module.name}").SCENARIOS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_same_conversation(pair, scenario, kernel_name):
    records = [record_of(recorder, scenario) for recorder in pair.hold(scenario)]
    found = differences(*records, scenario.parents_apart)
    problems = judge(found, () if kernel_name == "python3" else scenario.differs)
    assert not problems, f"{scenario.name}: {len(problems)} differences from ipykernel\n\n" + "\n\n".join(problems)


def test_there_are_many_and_each_has_its_name():
    names = Counter(scenario.name for scenario in SCENARIOS)
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) >= 150
