"""`cellblock run` in five languages: the same small programs in each, through the real binary.

What a program does is the language's own business; what Cellblock makes of its end is the same for all of them."""

import json
import os
import subprocess

import pytest

from support.programs import LANGUAGES, PYTHON

# The first program of a language has its toolchain prepared.
pytestmark = [pytest.mark.cellblock_only, pytest.mark.timeout(300)]

each_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One store for all tests, so that toolchains are prepared once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(installation, cache):
    """Runs a program, and returns what the JSON says."""

    def start(*arguments, stdin=b"", status=None, timeout="60s"):
        done = subprocess.run([installation.binary, "run", "--json", "--timeout", timeout, *map(str, arguments)],
                              input=stdin, capture_output=True, timeout=600,
                              env={**os.environ, "XDG_CACHE_HOME": str(cache)})
        assert done.stdout, done
        result = json.loads(done.stdout)
        assert done.returncode == (result["exit_code"] if status is None else status), (done, result)
        return result

    return start


@pytest.fixture
def run_code(run):
    def start(language, code, *arguments, **options):
        return run("--lang", language.name, "--code", code, *arguments, **options)

    return start


@each_language
def test_hello_world(run_code, language):
    result = run_code(language, language.hello)
    assert (result["verdict"], result["success"], result["exit_code"]) == ("ok", True, 0), result
    assert result["stdout"] == "Hello, wörld\n" and result["stderr"] == "to stderr\n"
    assert (result["compile"] is None) == (language.name in ("python", "javascript"))


@each_language
def test_a_program_is_built_once(run_code, language):
    run_code(language, language.hello)
    again = run_code(language, language.hello)
    assert again["stdout"] == "Hello, wörld\n"
    if again["compile"]:
        assert again["compile"]["cached"] is True
        assert run_code(language, language.hello + "\n")["compile"]["cached"] is False


def test_a_kept_program_lies_where_it_was_built_and_takes_no_writes(run):
    """The first run has a copy of its own, the second one is shown what is kept."""
    code = r'''
use std::{env, fs, os::unix::fs::PermissionsExt};
fn main() {
    let me = env::current_exe().unwrap();
    println!("{} {}", me.display(), fs::OpenOptions::new().write(true).open(&me).is_err());
    println!("{}", fs::read(&me).unwrap().len() > 10_000);
    if env::args().len() > 1 {
        println!("{}", fs::set_permissions(&me, fs::Permissions::from_mode(0o777)).is_err());
        println!("{}", fs::remove_file(&me).is_err());
    }
}
'''
    first, second = (run("--lang", "rust", "--code", code) for _ in range(2))
    assert (first["compile"]["cached"], second["compile"]["cached"]) == (False, True)
    assert first["stdout"] == second["stdout"]
    assert first["stdout"].splitlines()[0].startswith("/home/cell/") and first["stdout"].count("true") == 2
    spoilt = run("--lang", "rust", "--code", code, "--arg", "spoil")
    assert spoilt["stdout"].splitlines()[2:] == ["true", "true"]
    third = run("--lang", "rust", "--code", code)
    assert third["compile"]["cached"] and third["stdout"] == first["stdout"]


@each_language
def test_files_of_its_own_are_written_and_read(run_code, language):
    assert run_code(language, language.files)["stdout"] == "7 bytes\n"


@each_language
def test_arguments_and_standard_input(run_code, language):
    result = run_code(language, language.inputs, "--arg", "a b", "--arg=-x", "--arg", "é", stdin=b"one\ntwo\n")
    assert result["stdout"] == "a b\n-x\né\nONE\nTWO\n", result


@each_language
def test_its_own_status_is_the_commands(run_code, language):
    result = run_code(language, language.status)
    assert (result["verdict"], result["exit_code"]) == ("exit_nonzero", 3), result


@each_language
def test_an_uncaught_error_is_told_by_the_runtime(run_code, language):
    result = run_code(language, language.uncaught)
    assert (result["verdict"], result["exit_code"]) == ("exit_nonzero", language.uncaught_status), result
    assert language.uncaught_says in result["stderr"]


@each_language
def test_broken_code_is_told_by_the_compiler(run_code, language):
    result = run_code(language, language.broken)
    assert result["success"] is False
    if result["compile"]:
        assert result["verdict"] == "compile_error"
        assert language.broken_says in result["compile"]["stderr"] + result["compile"]["stdout"], result
        assert result["stdout"] == "" and result["stderr"] == ""
    else:
        assert result["verdict"] == "exit_nonzero" and language.broken_says in result["stderr"], result


@each_language
def test_a_timeout_ends_it_and_keeps_what_it_wrote(run_code, language):
    result = run_code(language, language.endless, timeout="1s", status=124)
    assert result["verdict"] == "timeout_wall" and result["stdout"] == "begun\n", result
    assert result["cpu_time"] > 0


@each_language
def test_more_memory_than_the_limit_ends_it(run_code, language):
    result = run_code(language, language.greedy, "--memory", "128MiB", status=137)
    assert result["verdict"] == "memory", result
    assert 100 << 20 < result["memory_peak"] <= 128 << 20


@each_language
def test_a_flood_of_output_ends_it(run_code, language):
    result = run_code(language, language.flood, "--output-limit", "1MiB")
    assert result["verdict"] == "output_limit" and result["stdout_truncated"] is True, result
    assert len(result["stdout"]) == 1 << 20


@each_language
def test_output_that_is_no_text(run_code, language):
    result = run_code(language, language.binary)
    assert (result["stdout_encoding"], result["stdout"]) == ("base64", "//4AYQ=="), result


@each_language
def test_threads(run_code, language):
    assert run_code(language, language.threads)["stdout"] == "500500\n"


def write(directory, files):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


@each_language
def test_a_project_is_a_directory(run, tmp_path, language):
    result = run(write(tmp_path, language.project))
    assert result["verdict"] == "ok" and result["stdout"] == "project: 42\n", result
    assert result["language"] == language.name


@each_language
def test_the_language_is_known_by_the_files_name(run, tmp_path, language):
    name = "Main.java" if language.name == "java" else "program" + language.suffix
    result = run("--file", write(tmp_path, {name: language.hello}) / name)
    assert result["stdout"] == "Hello, wörld\n" and result["language"] == language.name, result


@each_language
def test_the_shipped_tests_say_what_holds(run_code, language):
    result = run_code(language, language.tested, "--template", "tests", "--set", "tests=" + language.tests)
    assert result["exit_code"] == 1, result
    lines = result["stdout"].splitlines()
    assert lines[:2] == ["ok 1 - adds", "not ok 2 - is wrong"] and lines[-1] == "1..2"


@each_language
def test_errors_within_a_template_are_at_the_codes_own_lines(run_code, language):
    result = run_code(language, language.wrong, "--template", "tests", "--set", "tests=" + language.tests)
    teller = result["compile"] or result
    said = teller["stdout"] + teller["stderr"]
    assert "missing" in said
    assert ('File "code", line 3' if language is PYTHON else "code:3") in said, said


def test_the_languages_are_listed_with_their_versions(installation):
    listed = subprocess.run([installation.binary, "run", "--list"], capture_output=True, text=True, timeout=60)
    assert listed.returncode == 0
    for language in LANGUAGES:
        assert any(language.name in line and "/" in line for line in listed.stdout.splitlines()), listed.stdout
