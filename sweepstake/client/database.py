"""`Database`: a connection to a store, and the experiments in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from attrs import evolve

from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.differing import differences, taken
from sweepstake.client.experiment import Experiment
from sweepstake.client.listing import every_experiment
from sweepstake.client.searches import experiment_of
from sweepstake.client.session import Session
from sweepstake.domain.addresses import by_owner, check_called, no_experiment, qualified
from sweepstake.domain.names import existing_name
from sweepstake.domain.records import ABSENT, ExperimentRecord
from sweepstake.domain.workers import WorkerRecord
from sweepstake.errors import InvalidInputError, NotFoundError, ResourceExistsError, SweepstakeError

if TYPE_CHECKING:
    from sweepstake.client.specs.submitting import Submission
    from sweepstake.spec import ExperimentSpec

__all__ = ["Database"]

_logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Experiment)


class Database:
    """A connection to a store: a file, PostgreSQL, or a server. Made by `sweepstake.connect`.

    Safe to use from several threads; a forked child gets connections of its own.
    """

    def __init__(self, session: Session, url: str) -> None:
        self._session = session
        self._url = url
        TERM_WATCH.add(session.heartbeat)

    @property
    def session(self) -> Session:
        """The queue of this connection, and what goes with it."""
        return self._session

    def add_experiment(self, experiment: E, exist_ok: bool = False) -> E:
        """Store a new experiment, and tie the object to it.

        Args:
            experiment: a `ManualSearch`, `RandomSearch`, `GridSearch` or `PopulationBasedTraining`.
            exist_ok: if the name means one already, as for `get_experiment`, take that one as it is stored, so that
                many workers can start the same script; where its settings or status are others, a warning is logged.

        Returns:
            `experiment` itself.

        Raises:
            ResourceExistsError: there is one of yours of that name, and `exist_ok` is false; or the one that is to be
                taken searches differently.
            AmbiguousNameError: `exist_ok`, and several experiments of others have the name.
        """
        if not isinstance(experiment, Experiment):
            raise InvalidInputError.at("experiment", f"must be an experiment, not {type(experiment).__name__}")
        queue, draft = self._session.queue, experiment.draft()
        if exist_ok and self._join(experiment):
            return experiment
        try:
            experiment.attach(self._session, queue.put_experiment(experiment.name, draft, ABSENT))
        except ResourceExistsError:  # perhaps it was made by the same script elsewhere, a moment ago
            if not exist_ok:
                raise self._taken(experiment) from None
            if not self._join(experiment):
                raise
        return experiment

    def _taken(self, experiment: Experiment) -> ResourceExistsError:
        try:
            return taken(experiment, self._session.queue.get_experiment(experiment.name))
        except SweepstakeError:  # it is gone again, or the store is away
            return ResourceExistsError(f"there was an experiment {experiment.name!r} a moment ago; try again")

    def _join(self, experiment: Experiment) -> bool:
        """Tie the object to the experiment that its name means; false if there is none."""
        try:
            record = self._session.queue.get_experiment(experiment.name)
        except NotFoundError:
            return False
        if record.search != experiment.search():
            raise taken(experiment, record)
        _tell_differences(experiment, record)
        experiment.attach(self._session, record)
        return True

    def get_experiment(self, name: str, owner: str | None = None) -> Experiment:
        """Return the experiment of that name.

        Where several users of a server have one of the same name, it is yours, else the only one that is shared with
        you, else the one without an owner.

        Args:
            name: its name, or `owner/name`.
            owner: email of the user whose it is, when `name` alone could be read in two ways; "" for nobody's.

        Raises:
            NotFoundError: there is none.
            AmbiguousNameError: there are several; it lists them.
        """
        written = existing_name(name, "name", check_called)
        record = self._session.queue.get_experiment(written if owner is None else by_owner(owner, written))
        if owner is not None and (record.owner or "") != owner:  # a server of an older version knows one of each name
            raise no_experiment(by_owner(owner, written))
        if record.address:
            called = written if owner is None else qualified(owner, record.name)
            self._session.remember(record, called)
        return experiment_of(self._session, record)

    def get_experiments(self) -> Iterator[Experiment]:
        """Iterate over all experiments, oldest first."""
        for record in every_experiment(self._session.queue):
            yield experiment_of(self._session, record)

    def workers(self) -> tuple[WorkerRecord, ...]:
        """Return the workers that are alive, with what they have for jobs; those of other users are not shown."""
        return self._session.queue.list_workers()

    def submit(
        self, spec: ExperimentSpec | Submission | str | os.PathLike[str], name: str | None = None, update: bool = False
    ) -> Experiment:
        """Store a spec with an experiment, and queue its jobs; workers run what it says.

        A new experiment lets nothing be claimed before all of its jobs are there. When this is interrupted, the same
        call goes on where it ended. It is made once, however often answers get lost. What the code in the working
        directory is, and what is installed, is kept with the spec; see `Experiment.snapshot`.

        Args:
            spec: a `sweepstake.spec.ExperimentSpec`, or the path of a YAML file: a spec, or a sweep of W&B's.
            name: of the experiment. By default it is the file's stem, or the name of the first task; with `-2`, `-3`
                behind it where it is taken.
            update: the experiment is there, and gets the spec as its next version, and the jobs of that beside those
                that it has.

        Raises:
            SpecError: lists everything that is wrong, before anything is sent.
            ResourceExistsError: there is an experiment of this name, and it is no update.
            NotFoundError: it is an update, and there is none.
            OSError: the file cannot be read.
            MissingExtraError: PyYAML is not installed, and it is a file.
        """
        from sweepstake.client.specs.submitting import Submission, submit  # most scripts have no specs, which take time

        submission = spec if isinstance(spec, Submission) else Submission.of(spec)
        if submission.snapshot is None:
            submission = evolve(submission, snapshot=self._session.snapshot())
        return experiment_of(self._session, submit(self._session.queue, submission, name, update=update))

    def close(self) -> None:
        """Give back jobs whose blocks were not entered, and let go of connections; other leases are renewed no more."""
        self._session.heartbeat.close()
        self._session.queue.close()
        TERM_WATCH.drop(self._session.heartbeat)

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self._url}>"


def _tell_differences(experiment: Experiment, stored: ExperimentRecord) -> None:
    """Warn of what was asked for and is not so; to change it is not the matter of whoever starts a worker."""
    others = differences(experiment, stored)
    if others:
        _logger.warning(
            "The experiment %r is there already and stays as it is: %s. To change settings, say update(...).",
            experiment.name,
            "; ".join(others),
        )
