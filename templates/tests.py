==> main.py <==
{{code}}


class _Checks:
    count = failed = 0


def check(name, actual, expected):
    """Says in a line of TAP whether `actual` is what was expected."""
    _Checks.count += 1
    good = actual == expected
    _Checks.failed += not good
    print(f"{'ok' if good else 'not ok'} {_Checks.count} - {name}")
    if not good:
        print(f"# expected: {expected!r}\n# actual:   {actual!r}")


{{tests}}

print(f"1..{_Checks.count}")
raise SystemExit(1 if _Checks.failed or not _Checks.count else 0)
