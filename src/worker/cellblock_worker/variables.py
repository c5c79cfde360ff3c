"""The variables of the notebook as a debugger shows them, when nothing is stopped; and which of them are the user's."""

from . import adapter, cellnames

OF_IPYTHON = frozenset((
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__", "__builtins__", "__builtin__",
    "__display__", "get_ipython", "debugpy", "exit", "quit", "In", "Out", "_oh", "_dh", "_", "__", "___"))


def is_the_users(name):
    """Neither IPython's own nor its caches of inputs and outputs (_i, _i3, _ii, _3)."""
    return name not in OF_IPYTHON and not name.startswith("_i") and not (name[:1] == "_" and name[1:2].isdigit())


class Explorer:
    """debugpy's own presentation of values, for a frame that it takes for a stopped one."""

    def __init__(self, namespace):
        adapter.load()
        from _pydevd_bundle.pydevd_api import PyDevdAPI
        from _pydevd_bundle.pydevd_frame_utils import create_frames_list_from_frame
        from _pydevd_bundle.pydevd_suspended_frames import SuspendedFramesManager, _FramesTracker

        debugger = _Record(variable_presentation=PyDevdAPI.VariablePresentation())
        code = _Record(co_filename=cellnames.file_name("sys._getframe()"), co_name="<module>")
        self._frame = _Record(f_code=code, f_globals=namespace, f_locals=namespace, f_back=None)
        self._frames = SuspendedFramesManager()
        self._tracker = _FramesTracker(self._frames, debugger)
        self._tracker.track("notebook", create_frames_list_from_frame(self._frame))

    def children(self, reference=0):
        found = self._frames.get_variable(reference or id(self._frame)).get_children_variables()
        data = [variable.get_var_data() for variable in found]
        return [one for one in data if is_the_users(one["name"])]


class _Record:
    def __init__(self, **members):
        self.__dict__.update(members)
