"""Every notebook in notebooks/, executed as people do it, and its outputs compared with ipykernel's."""

import base64
import io
import json
import os
import re

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from support.installation import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What the tour shows differs on purpose: with ipykernel the same cells would read the home directory.
COMPARED = [path for path in NOTEBOOKS if path.stem != "tour"]

pytestmark = [pytest.mark.cellblock_only, pytest.mark.timeout(600)]


def named(path):
    return path.stem


def as_outside_pytest():
    """ipykernel captures no descriptors when it finds itself under test, which people never see."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def execute(path, kernel_name, **options):
    notebook = nbformat.read(path, as_version=4)
    # A cell has as much time as a slow machine needs that does other things besides.
    NotebookClient(notebook, kernel_name=kernel_name, timeout=240, startup_timeout=120,
                   resources={"metadata": {"path": str(path.parent)}}, **options).execute(env=as_outside_pytest())
    return notebook


class Names:
    """Random names, replaced by the order in which they appear: what refers to what is compared, not how it is called."""

    RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUIDs, and those without dashes
                        r"|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"
                        r"|(?<=altair-viz-)[0-9a-f]+")

    def __init__(self):
        self.known = {}

    def plain(self, text):
        text = self.RANDOM.sub(lambda found: "name-%d" % self.known.setdefault(found[0], len(self.known)), text)
        text = re.sub(r"0x[0-9a-f]+", "0x", text)
        text = re.sub(r"/tmp/[\w/.-]+", "/tmp/…", text)
        # matplotlib puts dates and random ids into its SVG.
        text = re.sub(r"<dc:date>[^<]*", "", text)
        return re.sub(r"\b[a-z]+[0-9a-f]{10,12}\b", "id", text)


def picture_size(data):
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return image.size


def normalised(output, names):
    """One output, with the size of every picture in place of the picture, without what differs between any two runs."""
    content = {**output}
    if "data" in output:
        content["data"] = {kind: picture_size(value) if re.fullmatch(r"image/(png|jpeg|gif)", kind) else value
                           for kind, value in output["data"].items()}
    return names.plain(json.dumps(content, sort_keys=True, ensure_ascii=False))


def outputs(notebook):
    """What each cell shows, and the widgets of the whole notebook."""
    names, found = Names(), []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        streams, rest = {}, []
        for output in cell.outputs:
            if output.output_type == "stream":
                # Whether stdout or stderr comes first is a matter of luck with two buffers.
                streams[output.name] = streams.get(output.name, "") + names.plain(output.text)
            else:
                rest.append(normalised(output, names))
        found.append((cell.source, cell.execution_count, streams, rest))
    widgets = notebook.metadata.get("widgets", {})
    return found, names.plain(json.dumps(widgets, indent=1, sort_keys=False, ensure_ascii=False))


@pytest.mark.parametrize("path", COMPARED, ids=named)
def test_the_outputs_are_those_of_ipykernel(path):
    (ours, our_widgets), (theirs, their_widgets) = (outputs(execute(path, name)) for name in ("cellblock", "python3"))
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine == reference
    assert our_widgets == their_widgets


def test_there_are_enough_to_mean_something():
    """A folder that is empty by mistake would compare nothing."""
    assert len(COMPARED) >= 16


def test_the_tour_is_answered_as_it_says():
    cells = [cell for cell in execute(ROOT / "notebooks" / "tour.ipynb", "cellblock", allow_errors=True).cells
             if cell.cell_type == "code"]
    assert [cell.execution_count is not None for cell in cells] == [True] * len(cells)
    shown = ["\n".join(str(output) for output in cell.outputs) for cell in cells]
    pandas, figure, error, home, network, status, short, after_short, memory, after_memory, left, after_exit = shown
    assert "<table" in pandas and "image/png" in figure
    assert "KeyError" in error
    assert "not expected" not in home and "[]" in home and "FileNotFoundError" in home
    assert "not expected" not in network and "Network is unreachable" in network
    assert "capabilities 0000000000000000  no new privileges 1  system-call filter 2" in status
    assert "MemoryError" in short and "2.0 GiB" in short and "still here: 42 - hoard is kept" in after_short
    assert "MemoryLimitExceeded" in memory and "2.0 GiB" in memory
    assert "still here: 42 - hoard is lost" in after_memory
    assert "WorkerExited" in left and "and again: 45" in after_exit
