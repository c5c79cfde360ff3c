"""Attack: take the backend away, exchange it for something else, or ask in a project's file for another one.
Barrier: whoever starts the kernel names the backend; one that is missing or strange is an error and never replaced.
"""

import os

import pytest

from support.kernel import Kernel


@pytest.fixture
def words_of_refusal(spec_with, user, public_directory):
    """Starts a kernel that must not come up; the value is what it says."""
    identity = user if user is not None and user.uid != os.geteuid() else None

    def start(path):
        spec = spec_with(("--backend=bwrap",))
        kernel = Kernel(spec.argv, user=identity, env={"PATH": path}, client=False)
        try:
            assert kernel.wait() != 0
            assert kernel.leftovers() == []
            return kernel.stderr()
        finally:
            kernel.discard()

    return start


def fake(directory, script):
    program = directory / "bwrap"
    program.write_text(script)
    program.chmod(0o755)
    return f"{directory}:/usr/bin:/bin"


def test_a_missing_bubblewrap_starts_nothing(words_of_refusal, public_directory):
    words = words_of_refusal(str(public_directory))
    assert "find bubblewrap" in words and "Install it" in words, words


def test_a_program_in_its_place_is_quoted_and_starts_nothing(words_of_refusal, public_directory):
    words = words_of_refusal(fake(public_directory, "#!/bin/sh\nprintf 'never\\033[2Jmind' >&2\nexit 3\n"))
    assert "make the jail with bubblewrap" in words and "never" in words and "\033" not in words, words


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
