"""Two kernels that hear the same: ipykernel, the reference, and the one under test."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.installation import read_spec
from support.kernel import Kernel

from differential.recorder import Recorder


class Side:
    """The kernels of one kernelspec: one that scenarios share, and those that scenarios have for themselves.

    The next one of those starts while other scenarios are held, and a used one ends beside them: half of the suite's
    time would be starts and ends.
    """

    def __init__(self, name, fresh_ones):
        self.spec = read_spec(name)
        self.shared = None
        self.fresh_ones = fresh_ones  # how many scenarios still to come want a kernel of their own
        self.next = None
        self.endings = []
        # A kernel ends with the thread that started it, so this thread lives until all have ended.
        self.aside = ThreadPoolExecutor(1)

    def start(self):
        return Kernel(self.spec.argv, env=self.spec.env, interrupt_mode=self.spec.interrupt_mode)

    def hold(self, scenario):
        if scenario.fresh:
            kernel = self.take_fresh()
            try:
                return Recorder(kernel).hold(scenario)
            finally:
                self.endings.append((scenario.name, self.aside.submit(self.end, kernel)))
        if self.shared is None:
            self.shared = self.aside.submit(self.start).result()
        try:
            return Recorder(self.shared).hold(scenario)
        except BaseException:
            # Nobody knows what state it is in.
            kernel, self.shared = self.shared, None
            kernel.discard()
            raise

    def take_fresh(self):
        taken = self.next or self.aside.submit(self.start)
        self.fresh_ones -= 1
        self.next = self.aside.submit(self.start) if self.fresh_ones > 0 else None
        return taken.result()

    def end(self, kernel):
        # ipykernel is the reference for messages, not for tidiness.
        kernel.discard() if self.spec.name == "python3" else kernel.close()

    def close(self):
        for kernel in (self.shared, self.next and self.next.result()):
            if kernel is not None:
                self.endings.append(("the last scenarios", self.aside.submit(self.end, kernel)))
        errors = [f"{self.spec.name}, after {name}: {ending.exception()}" for name, ending in self.endings if ending.exception()]
        self.aside.shutdown()
        return errors


class Pair:
    def __init__(self, reference, tested, fresh_ones):
        self.sides = (Side(reference, fresh_ones), Side(tested, fresh_ones))
        self.pool = ThreadPoolExecutor(2)

    def hold(self, scenario):
        """The scenario's records: the reference's and ours. At the same time, because most of the time is waiting."""
        outcomes = [self.pool.submit(side.hold, scenario) for side in self.sides]
        errors = [error for error in (outcome.exception() for outcome in outcomes) if error is not None]
        if errors:
            raise AssertionError("; ".join(f"{type(e).__name__}: {e}" for e in errors)) from errors[0]
        return [outcome.result() for outcome in outcomes]

    def close(self):
        errors = [error for side in self.sides for error in side.close()]
        self.pool.shutdown()
        assert not errors, "; ".join(errors)


@pytest.fixture(scope="session")
def pair(request, kernel_name):
    chosen = [item.callspec.params.get("scenario") for item in request.session.items if hasattr(item, "callspec")]
    pair = Pair("python3", kernel_name, sum(getattr(scenario, "fresh", False) for scenario in chosen))
    yield pair
    pair.close()
