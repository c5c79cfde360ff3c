"""Reads the JUnit XML of pytest and of ctest into one form."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field


@dataclass
class Report:
    names_passed: list = field(default_factory=list)
    failed: list = field(default_factory=list)   # names
    skipped: list = field(default_factory=list)  # (name, reason)
    unstable: list = field(default_factory=list)  # failed, and passed when they were run again alone
    seconds: float = 0.0

    @property
    def passed(self):
        return len(self.names_passed)


def read(path):
    report = Report()
    for case in ElementTree.parse(path).iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        if case.get("classname") == case.get("name"):  # ctest says the name twice
            name = case.get("name")
        report.seconds += float(case.get("time") or 0)
        if case.find("failure") is not None or case.find("error") is not None:
            report.failed.append(name)
        elif (skipped := case.find("skipped")) is not None and skipped.get("type") != "pytest.xfail":
            report.skipped.append((name, _reason(case, skipped)))
        else:  # A failure that is expected, too: it is a failure when it does not come (xfail_strict).
            report.names_passed.append(name)
    return report


def _reason(case, skipped):
    # ctest knows only that GoogleTest said "Skipped"; the reason is in the output, in the line after.
    output = case.findtext("system-out") or ""
    said = re.search(r": Skipped\n(.*)", output)
    return said.group(1).strip() if said else (skipped.get("message") or "no reason given")
