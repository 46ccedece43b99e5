"""A job that another process holds, and on which this one works as one of several."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Final

from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.ranks import HELD, TORCHRUN, HeldAbove, Membership, membership, unheld_rank
from sweepstake.client.session import Session
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.status import JobStatus, NoJobReason
from sweepstake.errors import ConfigurationError, LeaseLostError, NoJobError
from sweepstake.folders import new_file
from sweepstake.values import JsonObject

__all__ = ["GROUP_VARIABLES", "SHARED_JOBS", "SharedJobs", "hand_over"]

#: Of a process that works on another's job, or may, one of these variables is set.
GROUP_VARIABLES: Final = (HELD.encode(), TORCHRUN.encode())

_logger = logging.getLogger(__name__)


class SharedJobs:
    """The held job that this process was started for, which is handed out once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def find(self, session: Session, experiment: ExperimentRecord) -> tuple[JobRecord, Membership] | None:
        """Return the held job and this process's place in the group that works on it; None if it may claim for itself.

        Raises:
            NoJobError: it was handed out before, or is a job of another experiment.
            LeaseLostError: the attempt is over.
            ConfigurationError: nobody can tell which job is meant.
        """
        member = membership(os.environ, PROCESS.worker)
        if member is None:
            _refuse_alone()
            return None
        held = member.held
        if held.several:
            raise ConfigurationError(
                f"this process is rank {member.rank} of a group ({member.variable}), and {held.holder}, which started "
                f"it, holds several jobs: start it with the variable {HELD} that stood in the environment of its block"
            )
        if not _same(held, experiment) or os.environ[HELD] in self._given:
            raise NoJobError(
                f"this process is a part of the attempt at the job {held.job!r} of {held.experiment!r} that "
                f"{held.holder} holds, and gets no other",
                NoJobReason.FINISHED,
            )
        self._given.add(os.environ[HELD])
        return self._check(session.queue.get_job(experiment.reference, held.job), held), member

    def holds(self, session: Session, job: JobRecord) -> Membership | None:
        """Return this process's place in the group that works on the job, if it was started for that job."""
        member = membership(os.environ, PROCESS.worker)
        if member is None or member.held.several:
            return None
        held = member.held
        named = (held.job, held.experiment, held.address or job.address)
        if named != (job.id, job.experiment, job.address or held.address):
            return None
        self._check(session.queue.get_job(job.reference, job.id), held)
        return member

    @staticmethod
    def _check(job: JobRecord, held: HeldAbove) -> JobRecord:
        if (job.status, job.attempt) != (JobStatus.RUNNING, held.attempt):
            raise LeaseLostError(
                f"this process was started for attempt {held.attempt} at the job {held.job!r} by {held.holder}, "
                "and that attempt is over"
            )
        return job


def hand_over(member: Membership, results: JsonObject) -> None:
    """Hand the results of the first rank to the worker that runs it; those of others are the same, and dropped."""
    path = os.environ.get("SWEEPSTAKE_RESULTS_PATH")
    if member.rank != 0 or results.text == "{}":
        return
    if not member.held.command or path is None:
        _logger.warning(
            "The results of this process are not recorded: the job %s is held by %s, which reports. Hand them over "
            "in a file of job.checkpoint_dir.",
            member.held.job,
            member.held.holder,
        )
        return
    with new_file(Path(path)) as file:
        file.write(json.dumps(results.decode()).encode())


def _same(held: HeldAbove, experiment: ExperimentRecord) -> bool:
    unlike = held.address and experiment.address and held.address != experiment.address
    return held.experiment == experiment.name and not unlike


def _refuse_alone() -> None:
    """Raise for a rank that would claim a job of its own, beside the others of its group."""
    rank = unheld_rank(os.environ)
    if rank:
        raise ConfigurationError(
            f"this process is rank {rank} of a group that torchrun started (RANK), and would get another job than the "
            "others. Start torchrun for a job that is held, as in `sweepstake run EXPERIMENT -- torchrun ...`, or let "
            "only rank 0 ask for a job and send the others its hyperparameters"
        )


#: Those of this process, as it is started once.
SHARED_JOBS: Final = SharedJobs()
