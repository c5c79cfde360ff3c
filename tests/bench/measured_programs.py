"""Hello world and its like through `cellblock run`, beside the bare tools: in turns, so that whatever else the machine does
hits both alike. Called by run.py; `measured_programs.py 20 10` prints its tables alone, of 20 runs and 10 timeouts.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CELLBLOCK = ROOT / "build" / "release" / "bin" / "cellblock"

PYTHON = "/usr/bin/python3"
TIMEOUT_MS = 300
PATIENCE_S = 600  # The first build of a language prepares its toolchain: Go compiles its standard library.
OVER_BARE, OVERSHOOT = "<= 3 ms over bare", "<= 20 ms"


@dataclass(frozen=True)
class Language:
    file: str
    source: str
    tool: str  # must be in PATH
    build: tuple = ()  # one command: what people do before they run it
    run: tuple = ()
    at_once: tuple = ()  # from source to output, as people have it; empty: build and run
    asked_from_source: str = ""


LANGUAGES = {
    "Python": Language("main.py", "print('hello')\n", PYTHON, run=(PYTHON, "main.py")),
    "JavaScript": Language("main.js", "console.log('hello')\n", "node", run=("node", "main.js")),
    "Go": Language("main.go", 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n', "go",
                   ("go", "build", "-o", "hello", "main.go"), ("./hello",), ("go", "run", "main.go"), "<= 90 ms"),
    "Rust": Language("main.rs", 'fn main() { println!("hello"); }\n', "rustc", ("rustc", "-O", "-o", "hello", "main.rs"), ("./hello",),
                     (), "<= 100 ms"),
    "Java": Language("Main.java", 'public class Main { public static void main(String[] a) { System.out.println("hello"); } }\n', "javac",
                     ("javac", "Main.java"), ("java", "-cp", ".", "Main"), (), "<= 290 ms"),
}
SHORTEST = Language("main.rs", "fn main() {}\n", "rustc", ("rustc", "-O", "-o", "hello", "main.rs"), ("./hello",))

# What a program does about its end at the timeout.
OVERRUNS = {
    "it computes": "while True: pass",
    "it sleeps": "import time; time.sleep(60)",
    "deaf to SIGTERM, 8 processes": "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                                    "for _ in range(3): os.fork()\nwhile True: pass",
}


class Bench:
    """Works in `directory`; the compile cache is there, too, so that it begins empty."""

    def __init__(self, directory):
        self.directory = directory
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(directory / "cache")}

    def _timed_ms(self, *commands):
        began = time.perf_counter()
        for command in commands:
            done = subprocess.run(command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=PATIENCE_S)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(map(str, command))} failed: {done.stderr.decode(errors='replace')}")
        return (time.perf_counter() - began) * 1000

    def _jailed(self, language, *more):
        extra = ("--python", PYTHON) if language.tool == PYTHON else ()
        return (CELLBLOCK, "run", *extra, *more, language.file)

    def again(self, language, samples):
        """Nothing has changed since the last time: (bare, jailed) in milliseconds."""
        (self.directory / language.file).write_text(language.source)
        if language.build:
            self._timed_ms(language.build)
        self._timed_ms(self._jailed(language))  # prepares the toolchain and fills the compile cache
        return self._in_turns(samples, lambda: self._timed_ms(language.run), lambda: self._timed_ms(self._jailed(language)))

    def from_source(self, language, samples):
        """Each time another source."""
        changes = iter(range(10**9))

        def changed(*commands):
            (self.directory / language.file).write_text(f"{language.source}// {next(changes)}\n")
            return self._timed_ms(*commands)

        bare = (language.at_once,) if language.at_once else (language.build, language.run)
        changed(*bare)
        changed(self._jailed(language))
        return self._in_turns(samples, lambda: changed(*bare), lambda: changed(self._jailed(language)))

    @staticmethod
    def _in_turns(samples, *measures):
        taken = [[] for _ in measures]
        for number in range(samples):
            order = list(enumerate(measures))
            for place, measure in order if number % 2 == 0 else reversed(order):
                taken[place].append(measure())
        return {"bare": taken[0], "cellblock run": taken[1]}

    def overshoot(self, code, samples):
        """How long after its timeout a program was gone with all that it started: milliseconds, as the result has it."""
        taken = []
        for _ in range(samples):
            command = (CELLBLOCK, "run", "--lang", "python", "--python", PYTHON, "--timeout", f"{TIMEOUT_MS}ms", "--json", "--code", code)
            done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            result = json.loads(done.stdout)
            if result["verdict"] != "timeout_wall":
                raise SystemExit(f"{code!r} ended otherwise: {result}")
            taken.append(result["wall_time"] * 1000 - TIMEOUT_MS)
        return taken


def measure_programs(samples, overruns):
    """Samples by row. Languages whose tools are not in PATH have none."""
    rows = {"again": {}, "from_source": {}, "overshoot": {}}
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        os.chmod(directory, 0o755)
        bench = Bench(Path(directory))
        programs = {f"hello world, {name}": language for name, language in LANGUAGES.items()}
        for name, language in {"shortest program (Rust)": SHORTEST, **programs}.items():
            if not shutil.which(language.tool):
                continue
            rows["again"][name] = bench.again(language, samples)
            if language.asked_from_source:
                rows["from_source"][name] = bench.from_source(language, samples)
        for name, code in OVERRUNS.items():
            rows["overshoot"][name] = bench.overshoot(code, overruns)
    return rows


def print_programs(rows):
    for kind, title in (("again", "programs, built before, ms"), ("from_source", "programs, from changed source, ms")):
        print(f"\n{title:<38}{'bare':>10}{'in jail':>10}{'over bare':>11}{'ratio':>8}   asked")
        for name, samples in rows[kind].items():
            bare, jailed = (statistics.median(samples[who]) for who in ("bare", "cellblock run"))
            asked = OVER_BARE if kind == "again" else LANGUAGES[name.rpartition(", ")[2]].asked_from_source
            print(f"{name:<38}{bare:>10.2f}{jailed:>10.2f}{jailed - bare:>11.2f}{jailed / bare:>8.2f}   {asked}")
    print(f"\n{'end of a program beyond its time, ms':<38}{'median':>10}{'worst':>10}   asked")
    for name, values in rows["overshoot"].items():
        print(f"{name:<38}{statistics.median(values):>10.2f}{max(values):>10.2f}   {OVERSHOOT}")


if __name__ == "__main__":
    print_programs(measure_programs(samples=int(sys.argv[1]), overruns=int(sys.argv[2])))
