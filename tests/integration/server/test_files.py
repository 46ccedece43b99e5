"""Files and output of attempts over HTTP, as `curl` asks for them, and in how much memory."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest
import requests

from sweepstake.client.kept.fetching import fetch
from sweepstake.client.kept.keeping import FilesKeeper
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab
from tests.kit.serving import Served, served
from tests.kit.stores import remote_queue

MIB: Final = 1024 * 1024
CONTENT: Final = bytes(range(256)) * 40_000


@attrs.frozen
class Scene:
    """A server, and a job that runs and has kept a file `big.bin`."""

    server: Served
    queue: Queue
    claim: Claim

    def get(self, **headers: str) -> requests.Response:
        """Ask for the file."""
        return requests.get(
            f"{self.server.url}/api/v1/experiments/e/jobs/{self.claim.job.id}/content/",
            params={"path": "big.bin"},
            headers={"Authorization": f"Bearer {self.server.token}", **headers},
            timeout=60,
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A server over a new store."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "results").mkdir()
    (folder / "results/big.bin").write_bytes(CONTENT)
    with served(f"sqlite:///{folder}/store.db") as server:
        queue = remote_queue(server.url, server.token)
        lab = Lab.new(queue, name="e")
        lab.add_one()
        claim = lab.claim()
        FilesKeeper(queue, claim, folder / "results").copy()
        yield Scene(server, queue, claim)
        queue.close()


def test_a_file_is_sent_whole(scene: Scene) -> None:
    """In an answer of known length, under its sha256."""
    answer = scene.get()
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_the_length_of_a_file_is_told_without_it(scene: Scene) -> None:
    """As HEAD asks."""
    url = f"{scene.server.url}/api/v1/experiments/e/jobs/{scene.claim.job.id}/content/?path=big.bin"
    answer = requests.head(url, headers={"Authorization": f"Bearer {scene.server.token}"}, timeout=60)
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize(
    "asked, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=-3", len(CONTENT) - 3, len(CONTENT) - 1),
        ("bytes=100-", 100, len(CONTENT) - 1),
        ("bytes=7-99999999999", 7, len(CONTENT) - 1),
    ],
)
def test_part_of_a_file_is_sent(scene: Scene, asked: str, first: int, last: int) -> None:
    """With 206, and which part it is."""
    answer = scene.get(Range=asked)
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=", "bytes=9-5", "bytes=1-2,4-5", "bytes=-", "x"])
def test_what_is_no_range_is_passed_over(scene: Scene, asked: str) -> None:
    """As HTTP wants it: the file is sent whole."""
    assert scene.get(Range=asked).status_code == 200


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=99999999999-", "bytes=-0"])
def test_bytes_that_are_not_there_are_refused(scene: Scene, asked: str) -> None:
    """With 416, and a problem that says how many there are."""
    answer = scene.get(Range=asked)
    assert (answer.status_code, answer.json()["type"]) == (416, "urn:sweepstake:problem:out-of-range")


def test_a_piece_that_is_too_long_is_refused(scene: Scene) -> None:
    """Whoever sends must not decide how much memory the server takes."""
    job, digest = scene.claim.job, hashlib.sha256(bytes(5 * MIB)).hexdigest()
    answer = requests.put(
        f"{scene.server.url}/api/v1/experiments/e/jobs/{job.id}/content/",
        params={"sha256": digest, "size": str(5 * MIB), "offset": "0", "digest": digest},
        headers={"Authorization": f"Bearer {scene.server.token}", "Sweepstake-Attempt": scene.claim.key},
        data=bytes(5 * MIB),
        timeout=60,
    )
    assert answer.status_code == 422


def test_an_output_is_of_one_attempt(scene: Scene) -> None:
    """The latest of when it was asked for, though another begins while it is sent."""
    lab = Lab(scene.queue, "e")
    job = lab.add_one()
    size = 20 * MIB  # more than what is on the way before anybody reads

    def print_much(of: bytes) -> Claim:
        claim = lab.claim(ids=[job])
        for at in range(0, size, 4 * MIB):
            scene.queue.append_log("e", job, claim.key, at, of * (4 * MIB))
        return claim

    first = print_much(b"1")
    url = f"{scene.server.url}/api/v1/experiments/e/jobs/{job}/log/"
    with requests.get(
        url, headers={"Authorization": f"Bearer {scene.server.token}"}, stream=True, timeout=60
    ) as answer:
        parts = answer.iter_content(MIB)
        found = next(parts)
        lab.finish(first, Outcome.RELEASED)
        print_much(b"2")
        found += b"".join(parts)
    assert (len(found), set(found)) == (size, set(b"1"))


def _memory(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory was taken")
def test_a_large_file_takes_little_memory(scene: Scene, tmp_path: Path) -> None:
    """200 MB there and back, and once more in one answer: neither side holds more than some pieces."""
    (tmp_path / "results").mkdir()
    with (tmp_path / "results/large").open("wb") as file:
        for part in range(200):
            file.write(hashlib.sha256(str(part).encode()).digest() * (MIB // 32))
    before = _memory(scene.server.pid)
    lab = Lab(scene.queue, "e")
    job = lab.add_one()
    claim = lab.claim(ids=[job])
    FilesKeeper(scene.queue, claim, tmp_path / "results").copy()
    fetch(scene.queue, claim.job, tmp_path / "there")
    assert (tmp_path / "there/large").stat().st_size == 200 * MIB
    url = f"{scene.server.url}/api/v1/experiments/e/jobs/{job}/content/?path=large"
    with requests.get(
        url, headers={"Authorization": f"Bearer {scene.server.token}"}, stream=True, timeout=60
    ) as answer:
        assert sum(len(part) for part in answer.iter_content(MIB)) == 200 * MIB
    assert _memory(scene.server.pid) - before < 30 * MIB
