"""What this process may use: by its affinity, its control group, and the GPUs that it sees."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from sweepstake.domain.tasks.needs import WorkerLabel
from sweepstake.errors import InvalidInputError
from sweepstake.spec.scalars import memory_bytes
from sweepstake.worker.slots.room import Slots

__all__ = ["HOSTNAME", "detected", "gpu_variables", "labels_of", "slots_of", "visible_gpus"]

#: The label that says the name of the machine, by which others reach it.
HOSTNAME: Final = "hostname"
#: Variables by which a process is told its GPUs: the host's numbers, or names. Those of ROCm come first, whose
#: libraries read NVIDIA's as well.
_VISIBLE: Final = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
_NVIDIA: Final = re.compile(r"nvidia([0-9]+)")
_WORDS: Final = ("cpus", "gpus", "memory")
_MOST_GPUS: Final = 1024
_MOST_CPUS: Final = 1_000_000.0


def detected(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Slots:
    """Return what this process may use.

    Args:
        root: where the system's files are.
        environment: where the variables that name GPUs are read.
    """
    return Slots(cpus=_cpus(root), gpus=visible_gpus(root, environment), memory=_memory(root))


def slots_of(text: str, seen: Slots) -> Slots:
    """Return what a text such as ``cpus=8,gpus=2,memory=32GiB`` offers; what it does not name is as it was seen.

    A number of GPUs means the first of those that this process sees. Where it sees none, the number is believed, and
    they are counted from 0.

    Raises:
        InvalidInputError: names the part that is wrong.
    """
    given: dict[str, str] = {}
    for part in text.split(","):
        word, equals, value = (each.strip() for each in part.partition("="))
        if word not in _WORDS or not equals:
            raise _wrong(part, f"must be one of {', '.join(f'{each}=...' for each in _WORDS)}")
        if word in given:
            raise _wrong(part, "is given twice")
        given[word] = value
    return Slots(
        cpus=_stated_cpus(given["cpus"]) if "cpus" in given else seen.cpus,
        gpus=_stated_gpus(given["gpus"], seen.gpus) if "gpus" in given else seen.gpus,
        memory=_stated_memory(given["memory"]) if "memory" in given else seen.memory,
    )


def labels_of(texts: Iterable[str]) -> tuple[WorkerLabel, ...]:
    """Return what labels such as ``cluster=ai2/jupiter`` say, by name; one name may have several values.

    The name of the machine is one, `hostname`, unless another is given.

    Raises:
        InvalidInputError: names the label that is wrong.
    """
    labels: set[tuple[str, str]] = set()
    for text in texts:
        name, equals, value = (each.strip() for each in text.partition("="))
        if not equals or not name or not value:
            raise InvalidInputError.at(f"label {text!r}", "must be NAME=VALUE, such as cluster=ai2/jupiter")
        labels.add((name, value))
    hosts = sorted(value for name, value in labels if name == HOSTNAME)
    if len(hosts) > 1:
        raise InvalidInputError.at(f"label '{HOSTNAME}={hosts[1]}'", f"is the second one of the name {HOSTNAME!r}")
    if not hosts:
        labels.add((HOSTNAME, socket.gethostname()))
    return tuple(WorkerLabel(name=name, value=value) for name, value in sorted(labels))


def visible_gpus(root: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs that this process sees, by number on the host where they have one."""
    there = _nvidia(root) or _amd(root)
    stated = next((environment[name] for name in _VISIBLE if name in environment), None)
    if stated is None or stated.strip() == "all":
        return there
    numbers = _numbers_of_names(root)
    found = []
    for each in (each.strip() for each in stated.split(",")):
        if not each or each == "-1" or each in ("none", "void", "NoDevFiles"):
            break  # as the drivers do: what follows is not seen
        found.append(numbers.get(each, each))
    return tuple(dict.fromkeys(found))


def gpu_variables(gpus: Sequence[str]) -> Mapping[str, str]:
    """Return the variables by which a command is told its GPUs.

    ROCm reads NVIDIA's name as well, and takes an empty text for nothing said; its own older name would divide once
    more what these two say.
    """
    numbers = ",".join(gpus)
    return {
        "CUDA_VISIBLE_DEVICES": numbers,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HIP_VISIBLE_DEVICES": numbers or "-1",
    }


def _wrong(part: str, problem: str) -> InvalidInputError:
    return InvalidInputError.at(f"slots {part.strip()!r}", problem)


def _stated_cpus(text: str) -> float:
    with suppress(ValueError):
        number = float(text)
        if 0 < number <= _MOST_CPUS:
            return number
    raise _wrong(f"cpus={text}", "must be a number of processors above 0")


def _stated_gpus(text: str, seen: Sequence[str]) -> tuple[str, ...]:
    if not (text.isascii() and text.isdecimal()) or int(text) > _MOST_GPUS:
        raise _wrong(f"gpus={text}", "must be a whole number of GPUs")
    number = int(text)
    if seen and number > len(seen):
        raise _wrong(f"gpus={text}", f"is more than this process sees, which is {len(seen)}: {', '.join(seen)}")
    return tuple(seen[:number]) if seen else tuple(map(str, range(number)))


def _stated_memory(text: str) -> int:
    try:
        return memory_bytes(text)
    except ValueError as error:
        raise _wrong(f"memory={text}", str(error)) from None


# Processors and memory


def _cpus(root: Path) -> float:
    count = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    for quota, period in _quotas(root):
        if quota > 0 and period > 0:
            count = min(count, quota / period)
    return count


def _quotas(root: Path) -> Iterator[tuple[int, int]]:
    """Yield how many microseconds of processors may be used in how many of the clock, from every level."""
    for folder in _groups(root, "cpu"):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota), int(period)  # without a limit it is the word "max"
        with suppress(OSError, ValueError):
            yield (
                int((folder / "cpu.cfs_quota_us").read_text()),  # -1 without a limit
                int((folder / "cpu.cfs_period_us").read_text()),
            )


def _memory(root: Path) -> int:
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                sizes.append(int((folder / name).read_text()))
    return min(sizes)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group and of all above it, of both versions.

    In a container the path that the process is told may be the host's, which is not there; then the root counts.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        mounts = [root / "sys/fs/cgroup"]
        if names:
            mounts = [root / "sys/fs/cgroup" / each for each in dict.fromkeys((names, controller))]
        below = PurePosixPath(path.lstrip("/"))
        for mount in mounts:
            yield from (mount / each for each in (below, *below.parents) if ".." not in each.parts)


# GPUs


def _nvidia(root: Path) -> tuple[str, ...]:
    with suppress(OSError):
        found = (_NVIDIA.fullmatch(each.name) for each in (root / "dev").iterdir())
        return tuple(map(str, sorted(int(match[1]) for match in found if match)))
    return ()


def _amd(root: Path) -> tuple[str, ...]:
    """Return the numbers of AMD's GPUs: the nodes of the driver that have compute units."""
    if not (root / "dev/kfd").exists():
        return ()
    count = 0
    for properties in (root / "sys/class/kfd/kfd/topology/nodes").glob("*/properties"):
        with suppress(OSError):
            words = dict(line.split(maxsplit=1) for line in properties.read_text().splitlines() if " " in line)
            count += words.get("simd_count", "0").strip() != "0"
    return tuple(map(str, range(count)))


def _numbers_of_names(root: Path) -> dict[str, str]:
    """Return the number of each of NVIDIA's GPUs by its name (GPU-...), in the order of their places on the bus."""
    numbers: dict[str, str] = {}
    for number, information in enumerate(sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))):
        with suppress(OSError):
            match = re.search(r"GPU UUID:\s*(\S+)", information.read_text())
            if match:
                numbers[match[1]] = str(number)
    return numbers
