"""`%gui` and `%matplotlib`: which event loops a kernel without a display can serve."""

from IPython.core.error import UsageError

# Served by the loop that runs anyway.
WITHOUT_DISPLAY = (None, "", "none", "asyncio", "inline", "nbagg", "webagg", "notebook", "ipympl", "widget", "agg", "headless")
TOOLKITS = ("cocoa", "glut", "gtk", "gtk2", "gtk3", "gtk4", "osx", "macosx", "pyglet", "qt", "qt4", "qt5", "qt6", "tk", "wx")


def check(name):
    """UsageError says why `name` is not served."""
    refuse_toolkits(name)
    if name not in WITHOUT_DISPLAY:
        raise UsageError(f"Invalid GUI request {name!r}, valid ones are: asyncio, inline, widget, none")


def refuse_toolkits(name):
    if name in TOOLKITS:
        raise UsageError(f"GUI {name!r} needs a display, which the jail does not have; %matplotlib inline and "
                         "%matplotlib widget show figures in the notebook")
