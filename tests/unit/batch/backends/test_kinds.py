"""Backends by their names."""

import sys

import pytest

from sweepstake.batch.backends.kinds import backend_of, scheduler_of
from sweepstake.errors import ConfigurationError, MissingExtraError

__all__: list[str] = []


@pytest.mark.parametrize("name", ["local", "slurm", "pbs", "flux", "hpc-slurm"])
def test_each_has_its_name(name: str) -> None:
    """By which batches in the store are told apart."""
    assert backend_of(name).name == name


@pytest.mark.parametrize("name", ["slurm", "in-slurm", "hpc-slurm"])
def test_several_are_ways_to_the_same_scheduler(name: str) -> None:
    """So one table of the configuration is for all of them."""
    assert scheduler_of(name) == "slurm"
    assert scheduler_of("lsf") == "lsf"


def test_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is, is told; and what to install, where that is lacking."""
    with pytest.raises(ConfigurationError, match="'sge'; there are local, slurm, pbs, flux, hpc-slurm"):
        backend_of("sge")
    monkeypatch.setitem(sys.modules, "hpc_connect", None)
    monkeypatch.delitem(sys.modules, "sweepstake.batch.backends.hpc", raising=False)
    with pytest.raises(MissingExtraError, match=r"\[hpc\]"):
        backend_of("hpc-slurm")
