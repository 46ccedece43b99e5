"""The application, asked without a network in between, and bodies that it accepts."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from starlette.types import ASGIApp, Message

from sweepstake.clock import SystemClock
from sweepstake.server.app import create_app
from tests.kit.lab import draft, new_key
from tests.kit.stores import open_store

__all__ = ["BODIES", "Server", "asked"]

#: A body of each schema that is accepted, as a place to begin from.
BODIES: Final[Mapping[str, Any]] = {
    "PutExperiment": {
        "scheduler": {"RandomSearch": {"x": {"uniform": {"low": 0, "high": 1}}}},
        "settings": {"lease": 9},
    },
    "NewJob": {"hyperparameters": {"x": [1, {"y": None}]}, "tags": ["a"], "priority": 1, "notes": "n", "not_before": 1},
    "NewJobs": {"jobs": [{"hyperparameters": {"x": 1}}]},
    "PutJob": {"status": "RUNNING", "hyperparameters": {"x": 1}, "results": {"y": {"$number": "NaN"}}},
    "ClaimRequest": {"worker": "w", "repeat": False},
    "FinishRequest": {"attempt": new_key(), "outcome": "done", "results": {"y": 1}, "claim": new_key(), "reason": "r"},
    "HeartbeatRequest": {"attempts": [new_key()]},
    "QueueingChanges": {"priority": 1, "tags": ["a"], "notes": "n", "not_before": None},
    "Credentials": {"email": "a@b", "token": "x"},
    "KeepFiles": {"files": [{"path": "a/b", "size": 3, "sha256": "ab" * 32}], "keep": 1},
    "NewToken": {"role": "read", "lifetime": 60, "name": "n"},
    "NewShare": {"role": "read"},
}


@attrs.frozen
class Server:
    """The application, asked without a network in between."""

    app: ASGIApp
    runner: asyncio.Runner

    def ask(
        self, method: str, path: bytes, query: bytes = b"", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, bytes]:
        """Send a request and return the status and the body of its answer."""
        sent: list[Message] = []
        lines = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in lines.items()],
            "client": ("192.0.2.1", 4711),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        async def call() -> None:
            await self.app(scope, receive, send)

        self.runner.run(call())
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@contextmanager
def asked(folder: Path) -> Iterator[Server]:
    """Make the application over a file that holds an experiment with a job, both named `e`."""
    queue = open_store(f"sqlite:///{folder}/store.db", serving=True)
    with asyncio.Runner() as runner, closing(queue):
        made = Server(create_app(queue.here, None, SystemClock()), runner)
        body = json.dumps({"scheduler": {"Manual": None}}).encode()
        assert made.ask("PUT", b"/api/v1/experiments/e/", body=body)[0] == 200
        queue.add_jobs("e", [draft("e")], key=new_key())
        yield made
