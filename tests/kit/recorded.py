"""Schedulers that answer what was recorded of real ones, for what no test can have in its way."""

from collections.abc import Sequence

from sweepstake.batch.backends.calls import Answer

__all__ = ["Recorded"]


class Recorded:
    """A scheduler that answers what was recorded, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[list[str]] = []
        self.scripts: list[str] = []
        self._answers = list(answers)

    def __call__(self, arguments: Sequence[str], text: str) -> Answer:
        """Answer the next recorded thing."""
        self.asked.append(list(arguments))
        self.scripts.append(text)
        return self._answers.pop(0)
