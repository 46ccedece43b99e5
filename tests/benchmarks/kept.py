"""How long it takes, and in how much memory, to keep and fetch what attempts leave.

python -m tests.benchmarks.kept                     # 10,000 small files, a file of 2 GB and an output of 1 GB
python -m tests.benchmarks.kept --files 100 --size 1000000
"""

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sweepstake.client.kept.fetching import fetch
from sweepstake.client.kept.following import read
from sweepstake.client.kept.keeping import FilesKeeper, OutputKeeper
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab
from tests.kit.serving import served
from tests.kit.stack import open_queue
from tests.kit.stores import remote_queue

_CHUNK = bytes(range(256)) * 4096


def main() -> None:
    """Print a line for each thing that is kept or fetched, for a file and through a server."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kept", description="Keep and fetch files.")
    parser.add_argument("--files", type=int, default=10_000, help="how many files of 1 KiB")
    parser.add_argument("--size", type=int, default=2 * 10**9, help="bytes of the large file; the output has half")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sweepstake-kept-") as name:
        folder = Path(name)
        with closing(open_queue(f"sqlite:///{folder}/direct.db")) as queue:
            _measure("sqlite", queue, folder / "direct", chosen.files, chosen.size, [os.getpid()])
        with served(f"sqlite:///{folder}/store.db") as server, closing(remote_queue(server.url, server.token)) as queue:
            _measure("http", queue, folder / "http", chosen.files, chosen.size, [os.getpid(), server.pid])


def _measure(kind: str, queue: Queue, folder: Path, files: int, size: int, processes: list[int]) -> None:
    small, large, output = folder / "small", folder / "large", folder / "output"
    for made in (small, large):
        made.mkdir(parents=True)
    for i in range(files):
        (small / f"{i:05}").write_bytes(i.to_bytes(8) * 128)
    _fill(large / "file", size)
    _fill(output, size // 2)
    lab = Lab.new(queue, name="e")
    with _line(f"{kind}: keep {files:,} files", processes):
        lab.add_one()
        first = lab.claim()
        keeper = FilesKeeper(queue, first, small)
        keeper.copy()
    with _line(f"{kind}: look at them again", processes):
        keeper.copy()
    with _line(f"{kind}: fetch them", processes):
        fetch(queue, first.job, folder / "small there")
    with _line(f"{kind}: keep a file of {size:,} bytes", processes):
        lab.add_one()
        second = lab.claim()
        FilesKeeper(queue, second, large).copy()
    with _line(f"{kind}: fetch it", processes):
        fetch(queue, second.job, folder / "large there")
    with _line(f"{kind}: keep an output of {size // 2:,} bytes", processes):
        OutputKeeper(queue, second, output).copy()
    with _line(f"{kind}: read it", processes):
        assert sum(map(len, read(queue, second.job))) == size // 2


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for at in range(0, size, len(_CHUNK)):
            file.write(at.to_bytes(8) + _CHUNK[8 : size - at])


@contextmanager
def _line(what: str, processes: list[int]) -> Iterator[None]:
    """Print what the block took: seconds, those of the processors, and the most memory of each process since."""
    for pid in processes:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    used, began = _sum(_processor, processes), time.monotonic()
    yield
    seconds, used = time.monotonic() - began, _sum(_processor, processes) - used
    peaks = " + ".join(f"{_peak(pid) / 2**20:.0f}" for pid in processes)
    print(f"{what:<48}{seconds:8.1f} s {used:8.1f} s of processors   peak {peaks} MiB", flush=True)


def _sum(of: Callable[[int], float], processes: list[int]) -> float:
    return sum(map(of, processes))


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main()
