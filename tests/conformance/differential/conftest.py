"""Two kernels that hear the same: ipykernel, the reference, and the one under test."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.installation import read_spec
from support.kernel import Kernel

from differential.recorder import Recorder


class Side:
    """The kernels of one kernelspec, of which at most one is shared at a time."""

    def __init__(self, name):
        self.spec = read_spec(name)
        self.shared = None

    def start(self):
        return Kernel(self.spec.argv, env=self.spec.env, interrupt_mode=self.spec.interrupt_mode)

    def hold(self, scenario):
        if scenario.fresh:
            kernel = self.start()
            try:
                return Recorder(kernel).hold(scenario)
            finally:
                self.end(kernel)
        if self.shared is None:
            self.shared = self.start()
        try:
            return Recorder(self.shared).hold(scenario)
        except BaseException:
            # Nobody knows what state it is in.
            kernel, self.shared = self.shared, None
            kernel.discard()
            raise

    def end(self, kernel):
        # ipykernel is the reference for messages, not for tidiness.
        kernel.discard() if self.spec.name == "python3" else kernel.close()

    def close(self):
        if self.shared is not None:
            self.end(self.shared)


class Pair:
    def __init__(self, reference, tested):
        self.sides = (Side(reference), Side(tested))
        self.pool = ThreadPoolExecutor(2)

    def hold(self, scenario):
        """The scenario's records: the reference's and ours. At the same time, because most of the time is waiting."""
        outcomes = [self.pool.submit(side.hold, scenario) for side in self.sides]
        errors = [error for error in (outcome.exception() for outcome in outcomes) if error is not None]
        if errors:
            raise AssertionError("; ".join(f"{type(e).__name__}: {e}" for e in errors)) from errors[0]
        return [outcome.result() for outcome in outcomes]

    def close(self):
        for side in self.sides:
            side.close()
        self.pool.shutdown()


@pytest.fixture(scope="session")
def pair(kernel_name):
    pair = Pair("python3", kernel_name)
    yield pair
    pair.close()
