"""Attack: take the backend away, exchange it for something else, or ask in a project's file for another one.
Barrier: whoever starts the kernel names the backend; one that is missing or strange is an error and never replaced.
"""

import os

import pytest

from support.kernel import Kernel


@pytest.mark.parametrize("name", ["bwrap", "busctl"])
def test_a_program_of_an_environment_is_not_run_outside(spec_with, user, public_directory, installation, name):
    """Directories of environments come first in PATH, and anybody's package puts programs there."""
    marks = public_directory / "marks"
    marks.mkdir()
    marks.chmod(0o777)
    program = public_directory / name
    program.write_text(f"#!/bin/sh\ntouch {marks}/run\nexec /usr/bin/{name} \"$@\"\n")
    program.chmod(0o755)
    path = f"{public_directory}:/usr/bin:/bin"
    identity = user if user is not None and user.uid != os.geteuid() else None
    kernel = Kernel(spec_with(("--backend=bwrap",)).argv, user=identity, env={"PATH": path})
    try:
        assert kernel.run("6 * 7").result == "42"
    finally:
        kernel.close()
    installation.run("doctor", env={"PATH": path})
    assert list(marks.iterdir()) == []


def test_a_project_cannot_choose_a_backend_that_provides_less(spec_with, user, public_directory):
    (public_directory / "cellblock.toml").write_text('[isolation]\nbackend = "bwrap"\n')
    identity = user if user is not None and user.uid != os.geteuid() else None
    kernel = Kernel(spec_with(()).argv, user=identity, cwd=public_directory)
    try:
        info = kernel.request("kernel_info_request").content["cellblock"]
        assert info["backend"] == "native"
        assert any("isolation.backend = bwrap is not obeyed" in note for note in info["notes"]), info
    finally:
        kernel.close()


def test_its_level_and_backend_are_shown(jailed, backend):
    content = jailed().request("kernel_info_request").content
    assert content["cellblock"]["backend"] == backend
    assert f"isolation level full, backend {backend}" in content["banner"]
