"""Where verbs stand below the server's root, and what can be called next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sweepstake.wire.operation import BASE

__all__ = ["ADDED", "EXPERIMENT", "EXPERIMENTS", "FIRST", "FIRST_JOB", "JOB", "JOBS", "NAME", "TAKEN", "THIS", "links"]

EXPERIMENTS: Final = f"{BASE}experiments/"
EXPERIMENT: Final = f"{EXPERIMENTS}{{name}}/"
JOBS: Final = f"{EXPERIMENT}jobs/"
JOB: Final = f"{JOBS}{{id}}/"

#: Where the next call finds the experiment and the job that it needs.
NAME: Final = {"name": "$request.path.name"}
THIS: Final = {**NAME, "id": "$request.path.id"}
ADDED: Final = {**NAME, "id": "$response.body#/id"}
TAKEN: Final = {
    **NAME,
    "id": "$response.body#/job/id",
    "body": '{"attempt": "{$response.body#/key}", "outcome": "done"}',
}
FIRST: Final = {"name": "$response.body#/items/0/name"}
FIRST_JOB: Final = {**NAME, "id": "$response.body#/items/0/id"}


def links(source: Mapping[str, str], *names: str) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Return the verbs that can be called next with what this one answers."""
    return tuple((name, source) for name in names)
