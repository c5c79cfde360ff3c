"""Event loops of GUI toolkits, which a jail has no use for: there is no display."""

from cellblock_worker import gui

loop_map = dict.fromkeys(gui.WITHOUT_DISPLAY)


def register_integration(*toolkitnames):
    """Remembers the function, as libraries expect at their import. It can only be asked for by %gui, which says why not."""
    def remember(function):
        loop_map.update(dict.fromkeys(toolkitnames, function))
        function.exit_hook = lambda kernel: None
        function.exit = lambda exit_hook: setattr(function, "exit_hook", exit_hook) or exit_hook
        return function

    return remember


def enable_gui(gui_name, kernel=None):
    try:
        gui.check(gui_name)
    except gui.UsageError as error:
        raise ValueError(str(error)) from None
