"""The differential suite: one conversation, held with ipykernel and with Cellblock, must be the same conversation.

To add scenarios, put a file into scenarios/ that defines `SCENARIOS`, a list of `Scenario(name, steps, …)` made of the
words of words.py; the test finds it by itself. Both kernels hear the same steps, and every message that comes back on
every channel is recorded (recorder.py), freed of what differs from run to run (record.py) and compared. A difference
that is meant is written down in the scenario as `Differs(…)`, with its reason, and the test fails as well when it does
not occur any more.
"""
