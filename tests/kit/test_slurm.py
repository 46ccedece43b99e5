"""The cluster of the tests is a real one: it runs what it is given, with GPUs, and outlives its controller's death."""

from collections.abc import Iterator

import pytest

from tests.kit.slurm import NODES, Slurm, slurm

__all__: list[str] = []


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    """Give one cluster to all tests."""
    with slurm() as started:
        yield started


def test_an_allocation_runs_on_a_node_with_its_gpus(cluster: Slurm) -> None:
    """Each task of a step on another node, and a GPU for who asks for one."""
    wrapped = 'srun sh -c "echo \\$SLURMD_NODENAME \\$CUDA_VISIBLE_DEVICES"'
    output = cluster.folder / "out"
    cluster.run("sbatch", "--wait", "-N2", "-n2", "--gres=gpu:2", "-o", str(output), "--wrap", wrapped)
    assert sorted(output.read_text().splitlines()) == [f"{name} 0,1" for name in NODES]


def test_a_killed_controller_is_away_until_it_is_started_again(cluster: Slurm) -> None:
    """What it does then with allocations that it had acknowledged is the matter of the tests of backends."""
    cluster.kill_controller()
    with pytest.raises(AssertionError, match="Unable to contact slurm controller"):
        cluster.run("squeue", "-h")
    cluster.start_controller()
    output = cluster.folder / "again"
    cluster.run("sbatch", "--wait", "-o", str(output), "--wrap", "echo here")
    assert output.read_text() == "here\n"
