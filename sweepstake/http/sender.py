"""`HttpSender`: has calls answered by a server."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from attrs import evolve

from sweepstake.domain.addresses import called
from sweepstake.domain.records import ExperimentRecord, Page
from sweepstake.http.requests import request_of
from sweepstake.http.session import HttpSession
from sweepstake.queue.call import Call

__all__ = ["HttpSender"]

A = TypeVar("A")


class HttpSender:
    """Has calls answered by a server. It tries each once; repeating is for whoever holds it.

    Args:
        url: the server's root.
        token: API token.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._session = HttpSession(url, token)

    def __repr__(self) -> str:
        return f"HttpSender({self._session!r})"

    @property
    def identity(self) -> str | None:
        """Which store it is; see `Sender.identity`."""
        return self._session.store

    def send(self, call: Call[A]) -> A:
        """Have a call answered."""
        asked = request_of(call)
        reply = self._session.request(
            asked.method,
            asked.path,
            asked.headers,
            asked.body,
            answers=call.operation.answers,
            gives=call.operation.gives,
        )
        answer = call.answers.read(reply)
        return cast("A", _under_own_names(answer) if isinstance(answer, ExperimentRecord | Page) else answer)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _under_own_names(answer: ExperimentRecord | Page[Any]) -> object:
    """Return experiments under their own names; the server says what the caller may write to mean them."""
    if isinstance(answer, ExperimentRecord):
        return evolve(answer, name=called(answer.address)) if answer.address else answer
    if answer.items and isinstance(answer.items[0], ExperimentRecord):
        return evolve(answer, items=tuple(map(_under_own_names, answer.items)))
    return answer
