"""Magics that differ from the terminal's: they talk to a front end instead of an editor or a pager."""

import os
from pathlib import Path

from IPython.core import page
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class


@magics_class
class KernelMagics(Magics):
    @line_magic
    def edit(self, parameter_s="", last_call=None):
        """Ask the front end to open an editor: %edit [-n LINE] [-p] [-r] [what]

        `what` is a file, an object, a range of the history or a macro; see IPython's documentation of %edit. The file is
        not executed afterwards, because nobody knows when the editor is closed.
        """
        from IPython.core.magics import CodeMagics, MacroToEdit

        opts, args = self.parse_options(parameter_s, "prn:")
        try:
            filename, line, _ = CodeMagics._find_edit_target(self.shell, args, opts, last_call or ["", ""])
        except MacroToEdit:
            print("Macro editing not yet implemented in 2-process model.")
            return
        filename = str(Path(filename).resolve())
        self.shell.payload_manager.write_payload({"source": "edit_magic", "filename": filename, "line_number": line})

    @line_magic
    def clear(self, arg_s):
        """Clear the terminal."""
        self.shell.system("clear")

    @line_magic
    def less(self, arg_s):
        """Show a file through the pager.

        Files ending in .py are syntax-highlighted."""
        if not arg_s:
            raise UsageError("Missing filename.")
        if arg_s.endswith(".py"):
            from IPython.utils import openpy

            text = self.shell.pycolorize(openpy.read_py_file(arg_s, skip_encoding_cookie=False))
        else:
            with open(arg_s) as file:
                text = file.read()
        page.page(text)

    more = line_magic("more")(less)

    @line_magic
    def man(self, arg_s):
        """Find the man page for the given command and display in pager."""
        page.page(self.shell.getoutput(f"man {arg_s} | col -b", split=False))

    @line_magic
    def connect_info(self, arg_s):
        """Say why this kernel shows no connection information."""
        print("This kernel runs in a jail: the connection file and its key are outside. To connect another client, run\n"
              "    $> jupyter <app> --existing\n"
              "outside of the notebook.")

    @line_magic
    def qtconsole(self, arg_s):
        """Not available: the jail cannot start programs outside of itself."""
        raise UsageError("%qtconsole cannot start a program from within the jail; run `jupyter qtconsole --existing` outside")

    @line_magic
    def autosave(self, arg_s):
        """Set the autosave interval in the notebook (in seconds).

        The default value is 120, or two minutes.
        ``%autosave 0`` will disable autosave.

        This magic only has an effect when called from the notebook interface.
        It has no effect when called in a startup file.
        """
        from IPython.display import Javascript, display

        try:
            interval = int(arg_s)
        except ValueError as error:
            raise UsageError(f"%autosave requires an integer, got {arg_s!r}") from error
        display(Javascript(f"IPython.notebook.set_autosave_interval({1000 * interval})"), include=["application/javascript"])
        print(f"Autosaving every {interval} seconds" if interval else "Autosave disabled")

    @line_magic
    def subshell(self, arg_s):
        """Show which shell of this kernel runs the cell."""
        import threading

        subshells = self.shell.kernel.subshells
        try:
            subshell_id = subshells.id_of_thread(threading.get_ident())
        except LookupError:
            subshell_id = "unknown"
        print(f"subshell id: {subshell_id}")
        print(f"thread id: {threading.get_ident()}")
        print(f"main thread id: {threading.main_thread().ident}")
        print(f"pid: {os.getpid()}")
        print(f"thread count: {threading.active_count()}")
        print(f"subshell list: {subshells.ids()}")
