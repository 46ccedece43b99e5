"""What a process may use: read from folders that look as the system's do, and from what people write."""

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sweepstake.domain.tasks.needs import WorkerLabel
from sweepstake.errors import InvalidInputError
from sweepstake.worker.slots.offer import detected, labels_of, slots_of
from sweepstake.worker.slots.room import Room, Slots

MIB = 1024**2


def system(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_this_machine_has_something_to_offer() -> None:
    """The real one: at least a part of a processor, and memory."""
    slots = detected()
    assert 0 < slots.cpus <= len(os.sched_getaffinity(0))
    assert slots.memory > 0


def test_a_control_group_of_version_2_limits(tmp_path: Path) -> None:
    """Every level counts, also those above the process's own."""
    groups = "sys/fs/cgroup/user"
    files = {
        "proc/self/cgroup": "0::/user/job\n",
        f"{groups}/cpu.max": "50000 100000\n",
        f"{groups}/memory.max": "max\n",
        f"{groups}/job/cpu.max": "max 100000\n",
        f"{groups}/job/memory.max": f"{64 * MIB}\n",
    }
    system(tmp_path, files)
    assert detected(tmp_path, {}) == Slots(cpus=0.5, gpus=(), memory=64 * MIB)


def test_a_control_group_of_version_1_limits(tmp_path: Path) -> None:
    """A quota of -1 is none; a path that is the host's, as in a container, is not there, and the root counts."""
    groups = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
        f"{groups}/cpu/cpu.cfs_quota_us": "25000\n",
        f"{groups}/cpu/cpu.cfs_period_us": "100000\n",
        f"{groups}/cpu/docker/cpu.cfs_quota_us": "-1\n",
        f"{groups}/memory/memory.limit_in_bytes": f"{32 * MIB}\n",
    }
    system(tmp_path, files)
    slots = detected(tmp_path, {})
    assert (slots.cpus, slots.memory) == (0.25, 32 * MIB)


def test_gpus_are_seen_by_their_devices(tmp_path: Path) -> None:
    """NVIDIA's by number; what only looks alike is none."""
    system(tmp_path, {f"dev/{name}": "" for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm")})
    assert detected(tmp_path, {}).gpus == ("2", "10")


def test_gpus_of_amd_are_nodes_with_compute_units(tmp_path: Path) -> None:
    """A processor is a node as well, but has none."""
    nodes = "sys/class/kfd/kfd/topology/nodes"
    counts = {f"{nodes}/{number}/properties": f"cpu_cores_count 0\nsimd_count {4 * number}\n" for number in (0, 1)}
    system(tmp_path, {"dev/kfd": "", **counts})
    assert detected(tmp_path, {}).gpus == ("0",)


@pytest.mark.parametrize(
    "variables, gpus",
    [
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, ("2", "3")),
        ({"CUDA_VISIBLE_DEVICES": " 1 , 0,1"}, ("1", "0")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,1"}, ("0",)),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "GPU-b,MIG-1"}, ("1", "MIG-1")),
        ({"CUDA_VISIBLE_DEVICES": "0", "ROCR_VISIBLE_DEVICES": "4"}, ("4",)),
        ({}, ("0", "1")),
        ({"CUDA_VISIBLE_DEVICES": "all"}, ("0", "1")),
    ],
)
def test_variables_say_which_gpus_are_seen(tmp_path: Path, variables: dict[str, str], gpus: tuple[str, ...]) -> None:
    """By the host's numbers; a name becomes the number of the GPU that has it."""
    driver = "proc/driver/nvidia/gpus/0000:0{}:00.0/information"
    names = {driver.format(place): f"Model: \t X\nGPU UUID: \t GPU-{place}\n" for place in "ab"}
    system(tmp_path, {"dev/nvidia0": "", "dev/nvidia1": "", **names})
    assert detected(tmp_path, variables).gpus == gpus


SEEN = Slots(cpus=4.0, gpus=("2", "3"), memory=MIB)


@pytest.mark.parametrize(
    "text, slots",
    [
        ("cpus=8,gpus=2,memory=32GiB", Slots(cpus=8.0, gpus=("2", "3"), memory=32 * 1024**3)),
        ("gpus=1", Slots(cpus=4.0, gpus=("2",), memory=MIB)),
        (" cpus = 0.5 , gpus=0", Slots(cpus=0.5, gpus=(), memory=MIB)),
        ("memory=2m", Slots(cpus=4.0, gpus=("2", "3"), memory=2 * MIB)),
    ],
)
def test_slots_are_what_people_write(text: str, slots: Slots) -> None:
    """What they leave out is as it was seen."""
    assert slots_of(text, SEEN) == slots


def test_gpus_that_cannot_be_seen_are_believed() -> None:
    """They are counted from 0."""
    assert slots_of("gpus=2", Slots(cpus=1.0)).gpus == ("0", "1")


@pytest.mark.parametrize(
    "text, told",
    [
        ("cpus=0", "slots 'cpus=0': must be a number of processors above 0"),
        ("cpus=nan", "slots 'cpus=nan': must be a number of processors above 0"),
        ("cpus=x,gpus=1", "slots 'cpus=x': must be a number of processors above 0"),
        ("gpus=1.5", "slots 'gpus=1.5': must be a whole number of GPUs"),
        ("gpus=-1", "slots 'gpus=-1': must be a whole number of GPUs"),
        ("gpus=3", "slots 'gpus=3': is more than this process sees, which is 2: 2, 3"),
        ("memory=32", "slots 'memory=32': must be a number with a unit"),
        ("disk=3", "slots 'disk=3': must be one of cpus=..., gpus=..., memory=..."),
        ("cpus", "slots 'cpus': must be one of"),
        ("", "slots '': must be one of"),
        ("cpus=1,,gpus=1", "slots '': must be one of"),
        ("cpus=1,cpus=2", "slots 'cpus=2': is given twice"),
    ],
)
def test_wrong_slots_are_told_by_their_part(text: str, told: str) -> None:
    """So that nobody has to guess which one is meant."""
    with pytest.raises(InvalidInputError) as raised:
        slots_of(text, SEEN)
    assert str(raised.value).startswith(told)


def test_labels_say_what_a_worker_is() -> None:
    """The name of the machine is one; a value may hold anything."""
    assert pairs(labels_of(["cluster=ai2/jupiter", "note=a=b"])) == [
        ("cluster", "ai2/jupiter"),
        ("hostname", socket.gethostname()),
        ("note", "a=b"),
    ]
    assert pairs(labels_of(["hostname=gpu-1"])) == [("hostname", "gpu-1")]


@pytest.mark.parametrize("label", ["cluster", "cluster=", "=x", ""])
def test_a_wrong_label_is_named(label: str) -> None:
    """The error holds what was written."""
    with pytest.raises(InvalidInputError, match="must be NAME=VALUE") as raised:
        labels_of(["a=b", label])
    assert repr(label) in str(raised.value)


def test_a_worker_may_stand_for_several_clusters() -> None:
    """A name has all the values that are given; but a machine has one name."""
    several = labels_of(["cluster=b", "cluster=a", "cluster=b", "hostname=h"])
    assert pairs(several) == [("cluster", "a"), ("cluster", "b"), ("hostname", "h")]
    with pytest.raises(InvalidInputError, match="second one of the name 'hostname'"):
        labels_of(["hostname=a", "hostname=b"])


def pairs(labels: Sequence[WorkerLabel]) -> list[tuple[str, str]]:
    """Return labels by name and value."""
    return [(each.name, each.value) for each in labels]


def test_room_is_compared_by_every_part() -> None:
    """Tenths of processors add up to what people expect."""
    tenth = Room(cpus=0.1)
    assert tenth.plus(tenth).plus(tenth) == Room(cpus=0.3)
    assert Room(cpus=0.3).holds(tenth.plus(tenth).plus(tenth))
    assert not Room(cpus=8, gpus=1).holds(Room(gpus=2))
    assert not Room(cpus=8, memory=5).holds(Room(memory=6))
    assert Room(cpus=1, gpus=2).minus(Room(cpus=2, gpus=1)) == Room(gpus=1)
