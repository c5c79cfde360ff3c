"""Attack: make the kernel process lose something each time: a descriptor, a cgroup, memory, with interpreters that end in
every way and limits that are hit in every way.
Barrier: whatever belongs to a jail or a cell has one owner that gives it back. The suite `soak` goes on for 1,000 times.
"""

from support import leaks

LOSSES, HITS = 5, 20


def test_nothing_piles_up_in_the_kernel_process(jailed):
    kernel = jailed(*leaks.LIMITS, env=leaks.ENVIRONMENT)
    leaks.warm_up(kernel)
    before = leaks.settled(kernel)
    memory = [leaks.anonymous_memory(kernel.process.pid)]
    for number in range(LOSSES):
        leaks.lose_interpreter(kernel, number)
    for number in range(HITS):
        leaks.hit_limit(kernel, number)
        memory.append(leaks.anonymous_memory(kernel.process.pid))
    assert leaks.settled(kernel, before).beyond(before) == []
    assert leaks.growth(memory) <= leaks.GROWTH, memory
