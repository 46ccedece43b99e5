"""A Ray cluster: its nodes, and actors in placement groups of their own."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import ray
from attrs import frozen
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from sweepstake.batch.ray import actor as on_a_node
from sweepstake.errors import ConfigurationError, SubmissionError

__all__ = ["Cluster", "Lost", "Node", "Placed", "connected"]

#: The label by which a bundle is kept on a node, or off it.
_NODE: Final = "ray.io/node-id"
#: Calls that an actor answers side by side: one waits for news, others tell it to stop.
_CALLS: Final = 4


@frozen(kw_only=True)
class Node:
    """A node that is up.

    Attributes:
        id: Ray's name of it.
        host: its host's name.
        resources: what it has, in Ray's words: `CPU`, `GPU`, `memory` (bytes).
    """

    id: str
    host: str
    resources: Mapping[str, float]


@frozen(kw_only=True)
class Lost:
    """Why an actor will not answer any more, in Ray's words."""

    reason: str


class Placed:
    """An actor in a placement group of its own, and the call that it has not answered yet."""

    def __init__(self, group: Any, actor: Any) -> None:
        self.actor = actor
        self._group = group
        self.call: Any = None

    def begin(self, order: bytes) -> None:
        """Let it start its worker, as soon as there is a place for it."""
        self.call = self.actor.begin.remote(order)

    def ask(self, known: int) -> None:
        """Ask it for what its worker says behind so many lines."""
        self.call = self.actor.news.remote(known)

    def signal(self) -> None:
        """Let its worker have a further signal to stop."""
        self.actor.signal.remote()

    def remove(self) -> None:
        """End the actor, if there is one, and give its place back."""
        with suppress(RayError, ValueError):
            ray.kill(self.actor)
        with suppress(RayError):
            ray.util.remove_placement_group(self._group)


class Cluster:
    """The cluster that this process is connected to."""

    def nodes(self) -> Sequence[Node]:
        """Return the nodes that are up.

        Raises:
            SubmissionError: the head of the cluster does not answer.
        """
        with _told():
            found = ray.nodes()
        return [
            Node(id=each["NodeID"], host=each["NodeManagerHostname"], resources=each["Resources"])
            for each in found
            if each["Alive"]
        ]

    def place(self, resources: Mapping[str, float], *, on: str | None = None, off: Collection[str] = ()) -> Placed:
        """Ask for an actor with these resources; it begins when there is a place for it.

        Args:
            resources: in Ray's words.
            on: the node that it is to be on; any without.
            off: nodes that it is not to be on.

        Raises:
            SubmissionError: Ray refuses, in its words.
        """
        with _told():
            return self._place(resources, on, off)

    def _place(self, resources: Mapping[str, float], on: str | None, off: Collection[str]) -> Placed:
        selector = {_NODE: on} if on is not None else {_NODE: f"!in({','.join(sorted(off))})"} if off else None
        group = ray.util.placement_group(
            [dict(resources)],
            bundle_label_selector=None if selector is None else [selector],
        )
        options = {"num_cpus": resources.get("CPU", 0), "num_gpus": resources.get("GPU", 0)}
        if "memory" in resources:
            options["memory"] = resources["memory"]
        actor = self._kind.options(
            **options,
            max_restarts=0,
            max_concurrency=_CALLS,
            scheduling_strategy=PlacementGroupSchedulingStrategy(placement_group=group),
        ).remote()
        return Placed(group, actor)

    @property
    def _kind(self) -> Any:
        return ray.remote(on_a_node.SweepstakeWorker)

    def answered(self, placed: Sequence[Placed]) -> Iterator[tuple[Placed, Any]]:
        """Yield those whose call has been answered with the answer, or with `Lost`; it does not wait."""
        calls = {each.call: each for each in placed if each.call is not None}
        if not calls:
            return
        done, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        for call in done:
            each = calls[call]
            each.call = None
            try:
                yield each, ray.get(call, timeout=0)
            except (ActorUnavailableError, GetTimeoutError):  # Ray will know more in a while
                yield each, None
            except RayError as error:
                yield each, Lost(reason=_first_line(error))


@contextmanager
def _told() -> Iterator[None]:
    """Let what Ray refuses be told as what it is."""
    try:
        yield
    except RayError as error:
        raise SubmissionError(f"Ray refuses: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a cluster; behind the block nothing of ours is left on it.

    Raises:
        ConfigurationError: it cannot be reached, or is of another version of Ray or Python.
    """
    _check(address)
    # What Ray says of its own nodes is no output of ours.
    with Path(os.devnull).open("w") as silent, contextlib.redirect_stdout(silent):
        try:
            ray.init(address, namespace="sweepstake", log_to_driver=False, logging_level=logging.ERROR)
        except (RuntimeError, ConnectionError, ValueError, RayError) as error:
            raise _unreachable(address, error) from error
        ray.cloudpickle.register_pickle_by_value(on_a_node)
        try:
            yield Cluster()
        finally:
            ray.cloudpickle.unregister_pickle_by_value(on_a_node)
            sys.stdout.flush()
            ray.shutdown()


def _check(address: str) -> None:
    """Raise if nobody answers at an address: Ray itself asks for a long time, and then ends the process."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return  # "auto"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> ConfigurationError:
    said = _first_line(error)
    return ConfigurationError(
        f"the Ray cluster at {address} cannot be used: {said}; RAY_ADDRESS must be what `ray start --head` says, such "
        "as 10.0.0.1:6379, or auto on one of its nodes, and the Python and the Ray here those of the cluster"
    )
