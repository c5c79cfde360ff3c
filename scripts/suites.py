"""The test suites: what each needs to be built, and how it is run."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTEST = (str(ROOT / ".venv/bin/python"), "-m", "pytest", "-v", "--color=no")
REPORTS = ROOT / "build" / "reports"


@dataclass(frozen=True)
class Suite:
    name: str
    about: str
    needs: tuple
    command: tuple  # {report} is where the JUnit XML goes
    # Whether what failed is run once more, alone: for conversations with workers and front ends, whose own waits end
    # early on a machine that is busy. Never for what guards the boundary: one that held at the second try did not hold.
    repeats: bool = False
    # Why it runs only when it is named; empty for what runs always.
    only_named: str = ""
    # Arguments of pytest's that choose a part which runs all the same.
    unasked: tuple = ()


def pytest_suite(name, about, *needs, path=None, **options):
    return Suite(name, about, ("packages", "venv", *needs),
                 (*PYTEST, path or f"tests/{name}", "--junitxml={report}"), **options)


# The quick ones first, so that plain mistakes show early.
SUITES = (
    Suite("unit", "C++ modules by themselves (GoogleTest), and the fuzz corpora", ("packages", "dev"),
          ("ctest", "--preset", "dev", "--output-junit", "{report}", "--no-tests=error")),
    pytest_suite("worker", "the Python worker by itself", path="src/worker/tests", repeats=True),
    pytest_suite("tidy", "dependency rule, formatting, clang-tidy, words", "dev-configured"),
    pytest_suite("conformance", "Jupyter's protocol, message by message", "release", "kernelspec", repeats=True),
    pytest_suite("integration", "through real front ends, and the command line", "release", "kernelspec",
                 repeats=True),
    pytest_suite("run", "single programs in jails: cellblock run", "release"),
    pytest_suite("adversarial", "cells that attack, as root and as an ordinary user", "release", "kernelspec"),
    Suite("gvisor", "all those attacks against the backend runsc", ("packages", "venv", "release", "kernelspec", "gvisor"),
          ("/usr/bin/env", "CELLBLOCK_BACKENDS=runsc", *PYTEST, "tests/adversarial", "--junitxml={report}"),
          only_named="it takes some ten minutes, and gVisor, which no distribution has"),
    pytest_suite("soak", "restarts, lost interpreters and hit limits by the hundred, and what is left of them", "release",
                 "kernelspec", only_named="it takes some ten minutes"),
    pytest_suite("rig", "hosts that this one is not: systemd, cgroup version 2, and with something missing (QEMU)",
                 "rig", "dev", "release", only_named="more than half an hour of emulation", unasked=("-m", "unasked")),
    Suite("fuzz", "libFuzzer on every parser of foreign bytes; FUZZ_SECONDS=N searches anew for so long",
          ("packages", "fuzz"),
          ("ctest", "--test-dir", "build/fuzz", "-R", r"^fuzz\.", "-j2", "--output-on-failure", "--output-junit",
           "{report}", "--no-tests=error")),
)

# In this order, because later ones use earlier ones.
NEEDS = ("packages", "gvisor", "rig", "venv", "dev-configured", "dev", "release", "kernelspec", "fuzz")


def by_name(name):
    return next((suite for suite in SUITES if suite.name == name), None)
