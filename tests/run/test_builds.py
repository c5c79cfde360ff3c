"""Attacks of sources on whoever builds or starts them: what compilers and runtimes are told to read, to run and to obey by the
files of a project."""

from pathlib import Path

import pytest


@pytest.fixture
def project(public_directory):
    """Writes files of a project, beside which there is a secret."""
    (public_directory / "secret.txt").write_text("secret")
    directory = public_directory / "project"
    directory.mkdir()

    def write(files):
        for name, text in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        return directory
    return write


def go(embedded="in.txt", **files):
    return {"go.mod": "module trap\n\ngo 1.21\n", "in.txt": "in",
            "main.go": f'package main\n\nimport _ "embed"\n\n//go:embed {embedded}\nvar text string\n\nfunc main() {{ print(text) }}\n', **files}


# Attack: `//go:embed` of files outside, by their path or through a link. cgo, whose flags could name compilers and plugins; a tool
# that `go build` runs every tool through, set in the project.
# Barrier: a project is copied without links that lead out, and built in a jail, with settings of ours; there is no cgo.
@pytest.mark.timeout(600)  # the first run of Go prepares its standard library
def test_go_builds_of_the_programs_files_alone(runner, project, public_directory):
    tool = "#!/bin/sh\necho obeyed >&2\nexec \"$@\"\n"
    directory = project(go(**{".config/go/env": "GOFLAGS=-toolexec=/home/cell/tool\nCGO_ENABLED=1\nCC=/home/cell/tool\n", "tool": tool}))
    (directory / "tool").chmod(0o755)
    run = runner(directory, "--json", timeout=400)
    assert (run.result["verdict"], run.result["stderr"]) == ("ok", "in") and "obeyed" not in run.stdout, run
    for path in (public_directory / "secret.txt", "../secret.txt", "/etc/passwd"):
        run = runner(project(go(path)), "--json", timeout=100)
        assert run.result["verdict"] == "compile_error" and "invalid pattern" in run.stdout, run
    (directory / "in.txt").unlink()
    (directory / "in.txt").symlink_to("../secret.txt")
    run = runner(directory)
    assert run.status == 2 and "leads out" in run.stderr, run
    run = runner("--lang", "go", "--json", "--code", 'package main\n\n// #cgo CFLAGS: -include /etc/passwd\nimport "C"\n\nfunc main() {}\n', timeout=100)
    assert run.result["verdict"] == "compile_error" and "root:" not in run.stdout, run


# Whoever removes old files of caches leaves a preparation without some of them: that is not the program's mistake.
@pytest.mark.timeout(600)
def test_a_damaged_preparation_is_made_again(runner):
    code = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("ran") }\n'
    build = ["--lang", "go", "--json", "--no-compile-cache", "--code"]
    assert runner(*build, code, timeout=400).result["verdict"] == "ok"
    prepared = Path(runner.environment["XDG_CACHE_HOME"]) / "cellblock" / "prepared"
    for archive in prepared.rglob("*-d"):
        archive.unlink()
    assert runner(*build, code, timeout=400).result["stdout"] == "ran\n"
    # It is whole again, and stays where it is when it is the program's mistake.
    before = {path.name: path.stat().st_ino for path in prepared.iterdir()}
    assert runner(*build, "package main\n\nfunc main() { no }\n", timeout=400).result["verdict"] == "compile_error"
    assert {path.name: path.stat().st_ino for path in prepared.iterdir()} == before


# Attack: annotation processors that the project names; files of options (`@list.java`), and options that are names of files.
# Barrier: no processors; names of files are paths.
def test_javac_takes_nothing_of_a_project_but_sources(runner, project):
    main = 'public class Main { public static void main(String[] arguments) { System.out.println("ran"); } }\n'
    processor = ("import java.util.*;\nimport javax.annotation.processing.*;\nimport javax.lang.model.element.*;\n@SupportedAnnotationTypes(\"*\")\n"
                 "public class P extends AbstractProcessor {\n    public boolean process(Set<? extends TypeElement> types, RoundEnvironment round) {\n"
                 "        throw new Error(\"obeyed\");\n    }\n}\n")
    directory = project({"Main.java": main, "P.java": processor, "META-INF/services/javax.annotation.processing.Processor": "P\n",
                         "@list.java": "class Listed {}\n", "-verbose.java": "class Verbose {}\n"})
    run = runner("--file", directory, "--file", directory / "Main.java", "--json")
    assert (run.result["verdict"], run.result["stdout"]) == ("ok", "ran\n") and "obeyed" not in run.stdout, run


# Attack: scripts of package.json, a beginning outside, packages that are links to directories outside.
# Barrier: no shell and no script is run; links lead nowhere in the jail, or are refused.
def test_node_takes_nothing_from_outside(runner, project, public_directory):
    directory = project({"package.json": '{"scripts": {"preinstall": "echo obeyed", "start": "node index.js; echo obeyed"}, "main": "index.js"}',
                         "index.js": 'try { require("trap") } catch (error) { console.log(error.code) }\n', "node_modules/other/index.js": ""})
    (public_directory / "index.js").write_text("console.log('secret')\n")
    (directory / "node_modules" / "trap").symlink_to(public_directory)
    run = runner(directory, "--json")
    assert (run.result["verdict"], run.result["stdout"]) == ("ok", "MODULE_NOT_FOUND\n"), run
    run = runner(project({"package.json": '{"main": "../index.js"}'}))
    assert run.status != 0 and "secret" not in run.stdout, run
    (directory / "node_modules" / "trap").unlink()
    (directory / "node_modules" / "other" / "index.js").unlink()
    (directory / "node_modules" / "other").rmdir()
    (directory / "node_modules").rmdir()
    (directory / "node_modules").symlink_to("..")
    run = runner(directory)
    assert run.status == 2 and "leads out" in run.stderr, run
