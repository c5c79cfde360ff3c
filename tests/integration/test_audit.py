"""`cellblock audit`: logs are checked, read and followed; tampering is named. The logs are those that the benchmark of the
audit log writes, which are as large as asked for."""

import json
import subprocess
import time

import pytest

from support.installation import ROOT

pytestmark = pytest.mark.cellblock_only

ALTERED = 3


@pytest.fixture
def log(tmp_path):
    """A log of about 2,000 records."""
    bench = ROOT / "build" / "release" / "bin" / "audit_bench"
    done = subprocess.run([bench, "1", "2000", tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return tmp_path / "large"


def lines_of(log):
    return (log / "audit-00000001.jsonl").read_text().splitlines(keepends=True)


def write_lines(log, lines):
    (log / "audit-00000001.jsonl").write_text("".join(lines))


def verify(installation, log, environment=None):
    done = installation.run("audit", "verify", "--path", log, "--json", env=environment)
    return done.returncode, json.loads(done.stdout)


def test_a_whole_log_is_verified(installation, log):
    status, report = verify(installation, log)
    assert status == 0 and report["ok"] and report["records"] == 2001 and report["finding"] is None
    text = installation.run("audit", "verify", "--path", log).stdout
    assert "whole: 2001 records" in text and "no signed checkpoint" in text


def edit(lines):
    lines[100] = lines[100].replace('"verdict":"ok"', '"verdict":"no"')


def delete(lines):
    del lines[100]


def insert(lines):
    lines.insert(100, lines[50])


def reorder(lines):
    lines[100], lines[101] = lines[101], lines[100]


@pytest.mark.parametrize("tamper, kind, record", [(edit, "edited", 101), (delete, "deleted", 101), (insert, "inserted", 51),
                                                  (reorder, "reordered", 101)])
def test_tampering_is_named(installation, log, tamper, kind, record):
    lines = lines_of(log)
    tamper(lines)
    write_lines(log, lines)
    status, report = verify(installation, log)
    assert status == ALTERED
    assert (report["finding"]["kind"], report["finding"]["record"], report["finding"]["line"]) == (kind, record, 101)
    done = installation.run("audit", "verify", "--path", log)
    assert done.returncode == ALTERED and f"The log was {kind}" in done.stdout


def test_a_log_that_is_not_there_is_a_sentence(installation, tmp_path):
    done = installation.run("audit", "verify", "--path", tmp_path / "none")
    assert done.returncode == 1 and "there is no directory" in done.stderr


def test_a_key_is_made_once(installation, tmp_path):
    environment = {"HOME": str(tmp_path)}
    done = installation.run("audit", "init", env=environment)
    assert done.returncode == 0, done.stderr
    keys = tmp_path / ".config" / "cellblock" / "audit"
    assert (keys / "key.pem").stat().st_mode & 0o777 == 0o600 and keys.stat().st_mode & 0o777 == 0o700
    assert installation.run("audit", "init", env=environment).returncode == 1
    assert installation.run("audit", "init", "--replace-key", env=environment).returncode == 0
    assert len(list(keys.glob("*.pub.pem"))) == 2


def test_filters_choose_records(installation, log):
    def shown(*filters):
        done = installation.run("audit", "show", "--path", log, "--json", *filters)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert len(shown()) == 2001
    assert len(shown("--kernel", "2b0bb6a8", "--verdict", "ok", "--notebook", "analysis", "--since", "1h")) == 2000
    assert [record["type"] for record in shown("--type", "segment")] == ["segment"]
    assert shown("--kernel", "none") == shown("--verdict", "limit.memory") == shown("--since", "2999") == []
    assert installation.run("audit", "show", "--path", log, "--since", "yesterday").returncode == 2


def test_show_says_which_lines_are_no_records(installation, log):
    lines = lines_of(log)
    edit(lines)
    write_lines(log, lines)
    done = installation.run("audit", "show", "--path", log)
    assert "(no record)" in done.stdout and "1 lines are no records" in done.stderr


def test_stats_count(installation, log):
    report = json.loads(installation.run("audit", "stats", "--path", log, "--json").stdout)
    assert report["verdicts"] == {"ok": 2000} and report["types"] == {"cell_end": 2000, "segment": 1}
    assert report["all"]["memory_peak"] == 123456789 and report["all"]["io_read_bytes"] == 2000 * 4096
    assert report["all"]["cells"] == 2000 and report["all"]["cpu_us"] == 2000 * 1234
    assert "analysis.ipynb" in installation.run("audit", "stats", "--path", log).stdout


def test_tail_follows(installation, log):
    lines = lines_of(log)
    write_lines(log, lines[:-1])
    with subprocess.Popen([installation.binary, "audit", "tail", "--path", log, "-n", "2", "-f", "--json"],
                          stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert [json.loads(follower.stdout.readline())["seq"] for _ in range(2)] == [1999, 2000]
            with open(log / "audit-00000001.jsonl", "a") as segment:
                segment.write(lines[-1][:100])
                segment.flush()
                time.sleep(0.5)  # Half a line is no record yet.
                segment.write(lines[-1][100:])
            assert json.loads(follower.stdout.readline())["seq"] == 2001
        finally:
            follower.kill()
