"""The output limit: a flood ends in a note instead of a dead browser, and below it nothing is lost."""

import pytest

pytestmark = pytest.mark.cellblock_only  # ipykernel sends whatever there is.


@pytest.fixture(scope="module")
def small(shared_kernels, installation, tmp_path_factory):
    return shared_kernels(installation.install(tmp_path_factory.mktemp("spec"), "small", "--output-limit=1MiB"))


def test_a_flood_of_text_ends_with_a_note(small):
    cell = small.run("for _ in range(3000): print('x' * 999)", timeout=60)
    assert cell.status == "ok"
    assert 900_000 < len(cell.stdout) <= 1 << 20
    assert "longer than the 1.0 MiB allowed" in cell.stderr and "--output-limit" in cell.stderr
    assert "were left out" in cell.stderr


def test_so_does_a_flood_of_a_child_process(small):
    cell = small.run("import os\nos.system('yes | head -c 4000000')", timeout=60)
    assert len(cell.stdout) <= 1 << 20 and "were left out" in cell.stderr


def test_a_huge_display_is_left_out_and_the_cell_goes_on(small):
    cell = small.run("from IPython.display import HTML\ndisplay(HTML('y' * 2_000_000))\nprint('after')\n42")
    assert (cell.stdout, cell.result) == ("after\n", "42") and not cell.of_type("display_data")
    assert "were left out" in cell.stderr


def test_many_tiny_displays_are_not_tiny(small):
    """A front end keeps an object for each of them."""
    cell = small.run("for n in range(3000): display(n)", timeout=60)
    assert len(cell.of_type("display_data")) == 1024
    assert "were left out" in cell.stderr
    updated = small.run("shown = display(0, display_id=True)\nfor n in range(3000): shown.update(n)", timeout=60)
    assert len(updated.of_type("update_display_data")) == 3000 and updated.stderr == ""


def test_the_error_of_a_flooding_cell_is_shown(small):
    cell = small.run("print('x' * 2_000_000)\n1/0")
    assert cell.ename == "ZeroDivisionError"


def test_nothing_is_lost_below_it(small):
    cell = small.run("for i in range(1000): print(i, 'x' * 900)")
    assert len(cell.stdout.splitlines()) == 1000 and cell.stderr == ""


def test_an_animation_may_show_more_than_that_in_all(small):
    cell = small.run("from IPython.display import clear_output, HTML\nfor i in range(5):\n"
                     "    clear_output(wait=True)\n    display(HTML('z' * 700_000))", timeout=60)
    assert len(cell.of_type("display_data")) == 5 and cell.stderr == ""


def test_by_default_a_50_mib_image_passes(start_kernel):
    cell = start_kernel().run("display({'image/png': 'A' * (70 << 20)}, raw=True)", timeout=120)
    assert len(cell.of_type("display_data")[0]["data"]["image/png"]) == 70 << 20
