"""What several suites share: starting kernels as front ends do, talking to them, looking for what they left behind."""
