"""Runs test suites and adds up what they found. The last line is `N passed, N failed, N skipped`.

Called by ./test, which has built what the suites need.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections import Counter

from allowed_skips import justification
from junit import Report, read
from suites import NEEDS, REPORTS, ROOT, SUITES, by_name

LOGS = ROOT / "build" / "logs"
SHOWN_LINES = 150
REPEATED_AT_MOST = 3  # failures of one suite; more are no accident


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./test", description="Builds what is needed and runs the tests.",
        epilog="Everything after -- goes to the suites' pytest, e.g. ./test conformance -- -k interrupt -x")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="names as --list prints them; default: all that are not said to run only when named")
    parser.add_argument("--list", action="store_true", help="list the suites")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    own, extra = (argv[:argv.index("--")], argv[argv.index("--") + 1:]) if "--" in argv else (argv, [])
    options = parser.parse_args(own)
    unknown = [name for name in options.suites if by_name(name) is None]
    if unknown:
        parser.error(f"there is no suite {unknown[0]!r}; ./test --list names them")
    options.extra = extra
    return options


class Progress:
    """One line that changes on a terminal; elsewhere a line now and then, so that a log shows life."""

    def __init__(self, title):
        self.title = title
        self.began = self.reported = time.monotonic()

    def show(self, text):
        now = time.monotonic()
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            print("\r\033[K" + f"  {self.title:<14}{now - self.began:5.0f} s  {text}"[:width - 1], end="", flush=True)
        elif now - self.reported >= 60:
            self.reported = now
            print(f"    {self.title}, {now - self.began:.0f} s: {text[:100]}", flush=True)

    def clear(self):
        if sys.stdout.isatty():
            print("\r\033[K", end="")


def run_suite(suite, extra):
    """One suite; its report."""
    began = time.monotonic()
    log = LOGS / f"test-{suite.name}.log"
    report = run_once(suite, extra, log, suite.name)
    if suite.repeats and 0 < len(report.failed) <= REPEATED_AT_MOST:
        again = run_once(suite, (*extra, "--last-failed", "--last-failed-no-failures=none"),
                         LOGS / f"test-{suite.name}-again.log", f"{suite.name}-again")
        # A test and its clean-up may both have failed: one name, twice.
        report.unstable = [name for name in dict.fromkeys(report.failed)
                           if name in again.names_passed and name not in again.failed]
        report.failed = [name for name in report.failed if name not in report.unstable]
        report.names_passed += report.unstable
    tell(suite, report, time.monotonic() - began, log)
    return report


def run_once(suite, extra, log, report_name):
    """Whatever keeps a suite from reporting is a failure of its own."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    report_file = REPORTS / f"{report_name}.xml"
    report_file.unlink(missing_ok=True)
    command = [part.replace("{report}", str(report_file)) for part in suite.command]
    if "pytest" in command:
        command += extra
    progress = Progress(suite.name)
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            for line in process.stdout:
                out.write(line)
                if line.strip():
                    progress.show(line.strip())
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    status = process.wait()
    progress.clear()
    try:
        report = read(report_file)
    except Exception as problem:
        report = Report(failed=[f"{suite.name}: no report was written (exit status {status}): {problem}"])
    if status != 0 and not report.failed:
        report.failed.append(f"{suite.name}: exit status {status} although no test failed")
    for name, reason in report.skipped:
        if justification(reason) is None:
            report.failed.append(f"{name}: skipped, which this machine should not need: {reason}")
    report.skipped = [entry for entry in report.skipped if justification(entry[1]) is not None]
    return report


def tell(suite, report, seconds, log):
    print(f"  {suite.name:<14}{seconds:5.0f} s  {report.passed} passed, {len(report.failed)} failed, "
          f"{len(report.skipped)} skipped", flush=True)
    for name in report.unstable:
        print(f"      failed, and passed when run again alone: {name}")
    if not report.failed and not report.unstable:
        return
    for name in report.failed:
        print(f"      failed: {name}")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    start = next((i for i, line in enumerate(lines) if "= FAILURES =" in line or "= ERRORS =" in line),
                 max(0, len(lines) - SHOWN_LINES))
    shown = lines[start:start + SHOWN_LINES]
    print("\n".join("    " + line for line in shown))
    print(f"    {'... ' if len(lines) > start + SHOWN_LINES else ''}whole output: {log}\n", flush=True)


def main(argv):
    options = parse(argv)
    chosen = [by_name(name) for name in options.suites] or [suite for suite in SUITES
                                                               if suite.unasked or not suite.only_named]
    if options.list:
        for suite in SUITES:
            when = f" ({'all of it ' if suite.unasked else ''}only when named: {suite.only_named})" if suite.only_named else ""
            print(f"{suite.name:<14}{suite.about}{when}")
        return 0
    if options.needs:
        wanted = {need for suite in chosen for need in suite.needs}
        print(" ".join(need for need in NEEDS if need in wanted))
        return 0

    print("Testing", flush=True)
    reports = [run_suite(suite, [*(() if options.suites else suite.unasked), *options.extra]) for suite in chosen]
    failed = [name for report in reports for name in report.failed]
    skipped = Counter(reason for report in reports for _, reason in report.skipped)
    if skipped:
        print("\nSkipped:")
        for reason, count in skipped.items():
            print(f"  {count} x {reason} ({justification(reason)})")
    unstable = [name for report in reports for name in report.unstable]
    if unstable:
        print("\nUnstable (failed once, passed when run again alone; each deserves a look):")
        for name in unstable:
            print(f"  {name}")
    if failed:
        print("\nFailed:")
        for name in failed:
            print(f"  {name}")
    if not options.suites:
        print("\n" + "\n".join(f"Not run, because only when named: {'most of ' if suite.unasked else ''}{suite.name} "
                               f"({suite.only_named})" for suite in SUITES if suite.only_named))
    print(f"\n{sum(r.passed for r in reports)} passed, {len(failed)} failed, {sum(skipped.values())} skipped"
          + (f" ({len(unstable)} of the passed unstable)" if unstable else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\ninterrupted")
        sys.exit(130)
