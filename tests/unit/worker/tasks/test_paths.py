"""Paths of a task, replaced on the host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.worker.tasks.paths import missing_above, normal, replacing

FOLDERS = {"/results": "/tmp/r", "/data": "/host/d", "/data/inner": "/host/i"}


@pytest.mark.parametrize(
    "text, there",
    [
        ("/results", "/tmp/r"),
        ("/results/", "/tmp/r/"),
        ("/results/a/b.txt", "/tmp/r/a/b.txt"),
        ("--out=/results", "--out=/tmp/r"),
        ("/data/inner/x", "/host/i/x"),
        ("/data/innermost", "/host/d/innermost"),
        ("cp /data/a /results; ls /results", "cp /host/d/a /tmp/r; ls /tmp/r"),
        ("cp -r /data/. '/results'", "cp -r /host/d/. '/tmp/r'"),
        ('python x.py --a "/data" --b \\"/data\\"', 'python x.py --a "/host/d" --b \\"/host/d\\"'),
        ("PATH=/data/bin:/usr/bin:/results", "PATH=/host/d/bin:/usr/bin:/tmp/r"),
        ("a,/data,/results", "a,/host/d,/tmp/r"),
        ("x >/results/log 2>/results/err", "x >/tmp/r/log 2>/tmp/r/err"),
        ("(cd /data&&ls)|tee /results/x", "(cd /host/d&&ls)|tee /tmp/r/x"),
        ("`ls /data`", "`ls /host/d`"),
        ('{"out": "/results"}', '{"out": "/tmp/r"}'),
        ("{out: /results}", "{out: /tmp/r}"),
        ("line\n/results\n", "line\n/tmp/r\n"),
    ],
)
def test_a_path_is_replaced_where_it_is_meant(text: str, there: str) -> None:
    """Where it begins a word, or follows what divides words; of two the inner one."""
    assert replacing(FOLDERS)(text) == there


@pytest.mark.parametrize(
    "text",
    [
        "/results2",
        "/results-old",
        "/results.txt",
        "/database",
        "x/results",
        "./data",
        "~/data",
        "$HOME/data",
        "${X}/data",
        "file:///data",
        "gs://bucket/data",
        "s3://data",
        "//data",
        "results",
        "/my/results",
        "",
    ],
)
def test_what_only_looks_like_a_path_stays(text: str) -> None:
    """A longer name, a part of another path, or a URL."""
    assert replacing(FOLDERS)(text) == text


def test_what_is_put_in_is_not_looked_at_again() -> None:
    """A folder of the host may look like another path of the task, or like an escape."""
    assert replacing({"/a": "/b", "/b": "/a\\1"})("/a /b") == "/b /a\\1"


@given(st.text(alphabet="/ab=: '\"", max_size=30))
def test_replacing_paths_by_themselves_changes_nothing(text: str) -> None:
    """Whatever the text is."""
    assert replacing({"/a": "/a", "/a/b": "/a/b"})(text) == text
    assert replacing({})(text) == text


def test_paths_have_a_normal_form() -> None:
    """Repeated slashes and one at the end say nothing."""
    assert [normal(path) for path in ("/a/", "//a//b/.", "/")] == ["/a", "/a/b", "/"]


@pytest.mark.parametrize(
    "paths, missing",
    [
        (["/in/1", "/in/2", "/out"], ["/in"]),
        (["/in/a/1", "/in/b", "/in/a/2"], ["/in", "/in/a"]),
        (["/root/.aws/credentials"], ["/root/.aws"]),  # this host has the folder above
        (["/in", "/in/out/results"], []),  # what is within a mount is there
        (["/x"], []),
    ],
)
def test_folders_above_paths_that_a_host_lacks(paths: list[str], missing: list[str]) -> None:
    """Never the root, nor what the host has, nor what lies within a mount."""
    assert missing_above(paths, {"/", "/root"}.__contains__) == missing
