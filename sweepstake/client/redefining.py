"""Changing a part of an experiment's definition, whatever else of it is changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from sweepstake.domain.records import ExperimentDraft, ExperimentRecord, Guard
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus
from sweepstake.errors import InvalidInputError, UnsafeUpdateError, shown
from sweepstake.queue.queue import Queue

__all__ = ["change_settings", "changed_settings", "check_settings", "redefine", "set_status"]

#: How often somebody else may change the definition between our look and our write.
_MOST_TRIES: Final = 100


def set_status(queue: Queue, name: str, status: ExperimentStatus) -> tuple[ExperimentRecord, ExperimentRecord]:
    """Give an experiment another status and leave the rest of its definition as it is stored.

    Returns:
        The experiment just before and after; the same twice if it had the status already.

    Raises:
        UnsafeUpdateError: somebody else changed it each time that this tried.
    """

    def change(before: ExperimentRecord) -> ExperimentDraft | None:
        return None if before.status is status else ExperimentDraft(search=before.search, status=status)

    return redefine(queue, name, change)


def change_settings(
    queue: Queue, known: ExperimentRecord, changes: Mapping[str, Any]
) -> tuple[ExperimentRecord, ExperimentRecord]:
    """Give an experiment other values of some settings and leave the rest of its definition as it is stored.

    Args:
        queue: where it is stored.
        known: the experiment as whoever changes it knows it.
        changes: the new values by name.

    Returns:
        The experiment just before and after; the same twice if it had the values already.

    Raises:
        UnsafeUpdateError: somebody else gave one of these settings another value than the one known.
        InvalidInputError: a name is no setting, or a value is wrong.
    """
    wanted = changed_settings(known.settings, changes)

    def change(before: ExperimentRecord) -> ExperimentDraft | None:
        for name in changes:
            there, ours = getattr(before.settings, name), getattr(known.settings, name)
            if there not in (ours, getattr(wanted, name)):
                raise UnsafeUpdateError(
                    f"somebody else changed {name} of {known.name!r} to {shown(there)}; it was {shown(ours)} when this "
                    "experiment was read: get_experiment() it again and decide"
                )
        settings = changed_settings(before.settings, changes)
        if settings == before.settings:
            return None
        return ExperimentDraft(search=before.search, status=before.status, settings=settings)

    return redefine(queue, known.reference, change)


def changed_settings(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with other values for those that are named."""
    check_settings(changes)
    return attrs.evolve(settings, **changes)


def check_settings(names: Mapping[str, Any]) -> None:
    """Raise InvalidInputError unless all these are names of settings."""
    known = [attribute.name for attribute in attrs.fields(Settings)]
    for name in names:
        if name not in known:
            raise InvalidInputError.at(name, f"is not a setting of an experiment; there are {', '.join(sorted(known))}")


def redefine(
    queue: Queue, name: str, change: Callable[[ExperimentRecord], ExperimentDraft | None]
) -> tuple[ExperimentRecord, ExperimentRecord]:
    """Write what `change` makes of the stored definition, and begin again when somebody else wrote first."""
    for tries_left in reversed(range(_MOST_TRIES)):
        before = queue.get_experiment(name)
        draft = change(before)
        if draft is None:
            return before, before
        try:
            return before, queue.put_experiment(name, draft, Guard.match(before.etag))
        except UnsafeUpdateError:
            if not tries_left:
                raise
    raise AssertionError("the last try returns or raises")
