"""An experiment as a file of JSON lines: a header, what is kept of it, and a last line that says how much that is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TextIO

from attrs import evolve, frozen

from sweepstake.codec import from_file, to_tree
from sweepstake.domain.names import check_name
from sweepstake.domain.portable import (
    MAX_PART,
    ExportPage,
    ImportPart,
    PortableDependency,
    PortableEvent,
    PortableExperiment,
    PortableJob,
    Totals,
)
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError, SweepstakeError
from sweepstake.queue.queue import Queue
from sweepstake.values import parse_json

__all__ = ["VERSION", "Exported", "export_experiment", "import_experiment"]

#: Version of the format, which stands in the header.
VERSION: Final = 1
_FORMAT: Final = "sweepstake-export"
#: A part of an import is sent when its lines reach this many characters.
_PART_TEXT: Final = 4 * 1024 * 1024
_KINDS: Final[dict[str, type[Any]]] = {
    "job": PortableJob,
    "dependency": PortableDependency,
    "event": PortableEvent,
}
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode

Progress = Callable[[int], None]


@frozen
class Exported:
    """How much was written, and how many of the jobs were RUNNING then."""

    totals: Totals
    running: int


def export_experiment(queue: Queue, name: str, file: TextIO, progress: Progress) -> Exported:
    """Write all that is kept of an experiment, a page at a time; jobs are as they are when their page is read.

    Args:
        queue: where the experiment is.
        name: its name, or another reference to it.
        file: takes the lines.
        progress: is told each number of lines written.
    """
    record = queue.get_experiment(name)
    definition = PortableExperiment(
        status=record.status,
        search=record.search,
        settings=record.settings,
        proposals=record.proposals,
        created=record.created,
        created_at=record.created_at,
    )
    _write(file, {_FORMAT: VERSION, "name": record.name, "experiment": to_tree(definition)})
    counts: Counter[str] = Counter()
    running = 0
    for page in _pages(queue, record.reference):
        lines = 0
        for kind, items in (("job", page.jobs), ("dependency", page.dependencies), ("event", page.events)):
            for item in items:
                _write(file, {kind: to_tree(item)})
            counts[kind] += len(items)
            lines += len(items)
        running += sum(job.status is JobStatus.RUNNING for job in page.jobs)
        counts["attempt"] += sum(len(job.attempts) for job in page.jobs)
        progress(lines)
    totals = _totals(counts)
    _write(file, {"end": to_tree(totals)})
    return Exported(totals, running)


def _pages(queue: Queue, name: str) -> Iterator[ExportPage]:
    start = None
    while True:
        page = queue.export_page(name, start)
        yield page
        start = page.next
        if start is None:
            return


def _totals(counts: Counter[str]) -> Totals:
    return Totals(
        jobs=counts["job"],
        attempts=counts["attempt"],
        dependencies=counts["dependency"],
        events=counts["event"],
    )


def _write(file: TextIO, tree: object) -> None:
    file.write(_encode(tree) + "\n")


def import_experiment(queue: Queue, file: Iterable[str], name: str | None, progress: Progress) -> str:
    """Store what `export_experiment` wrote; nobody sees any of it before all is there. Returns the name.

    Args:
        queue: where to store it.
        file: the lines.
        name: what to call it; None for the name that it had.
        progress: is told each number of lines stored.

    Raises:
        InvalidInputError: a line is not as it should be, or the file ends too early; nothing was stored.
        ResourceExistsError: there is an experiment of that name.
    """
    lines = _read_lines(file)
    header = next(lines, None)
    if header is None:
        raise InvalidInputError.at("line 1", "is missing: the file is empty")
    given, definition = _read_header(header)
    name = given if name is None else check_name(name, "name")
    importing = _Importing(queue, name, progress)
    try:
        importing.begin(definition)
        for line in lines:
            importing.take(line)
        importing.end()
    except BaseException:
        importing.abandon()
        raise
    return name


@frozen
class _Line:
    number: int
    size: int
    kind: str
    value: Any

    @property
    def path(self) -> str:
        """Return how an error calls it."""
        return f"line {self.number}"


def _read_lines(file: Iterable[str]) -> Iterator[_Line]:
    for number, text in enumerate(file, 1):
        tree = _parse(text, number)
        kind, value = ("header", tree) if number == 1 else next(iter(tree.items()), ("", None))
        if number > 1 and (len(tree) != 1 or kind not in (*_KINDS, "end")):
            known = ", ".join((*_KINDS, "end"))
            raise InvalidInputError.at(f"line {number}", f"must be an object with one of {known}")
        yield _Line(number, len(text), kind, value)


def _parse(text: str, number: int) -> dict[str, Any]:
    try:
        tree = parse_json(text)
    except InvalidInputError as error:
        raise InvalidInputError.at(f"line {number}", f"is no JSON: {error}") from None
    if not isinstance(tree, dict):
        raise InvalidInputError.at(f"line {number}", "must be an object")
    return tree


def _read_header(line: _Line) -> tuple[str, PortableExperiment]:
    version = line.value.get(_FORMAT)
    if version is None:
        raise InvalidInputError.at("line 1", f"has no {_FORMAT!r}: this is no file that `sweepstake export` wrote")
    if version != VERSION:
        raise InvalidInputError.at(
            "line 1", f"has version {version}, and this Sweepstake reads {VERSION}: install a newer one"
        )
    definition = from_file(line.value.get("experiment"), PortableExperiment, "line 1.experiment")
    return check_name(line.value.get("name"), "line 1.name"), definition


class _Importing:
    """One import under way: collects lines into parts and sends them."""

    def __init__(self, queue: Queue, name: str, progress: Progress) -> None:
        self._queue = queue
        self._name = name
        self._progress = progress
        self._part = ImportPart(id=queue.new_id(), number=0, abandon=True)
        self._items: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
        self._text = 0
        self._end: int | None = None
        self._totals: Totals | None = None

    def begin(self, definition: PortableExperiment) -> None:
        """Send the first part."""
        self._send(ImportPart(id=self._part.id, number=0, experiment=definition))

    def take(self, line: _Line) -> None:
        """Take a line."""
        if self._end is not None:
            raise InvalidInputError.at(line.path, f"stands behind the end, which is line {self._end}")
        if line.kind == "end":
            self._end = line.number
            self._totals = from_file(line.value, Totals, f"{line.path}.end")
            return
        self._items[line.kind].append(from_file(line.value, _KINDS[line.kind], f"{line.path}.{line.kind}"))
        self._text += line.size
        if self._text >= _PART_TEXT or len(self._items[line.kind]) >= MAX_PART:
            self._flush(None)

    def end(self) -> None:
        """Send the last part, if the last line came."""
        if self._totals is None:
            raise InvalidInputError.at("end", "is missing: the file was cut off, and nothing of it was imported")
        self._flush(self._totals)

    def abandon(self) -> None:
        """Let the store forget what was sent, if it can be reached."""
        try:
            self._queue.import_part(self._name, evolve(self._part, abandon=True))
        except SweepstakeError:
            return  # nobody sees it, and the store forgets it within a day

    def _flush(self, totals: Totals | None) -> None:
        part = ImportPart(
            id=self._part.id,
            number=self._part.number + 1,
            jobs=tuple(self._items["job"]),
            dependencies=tuple(self._items["dependency"]),
            events=tuple(self._items["event"]),
            totals=totals,
        )
        self._send(part)
        self._items = {kind: [] for kind in _KINDS}
        self._text = 0

    def _send(self, part: ImportPart) -> None:
        self._queue.import_part(self._name, part)
        self._part = evolve(self._part, number=part.number)
        self._progress(len(part.jobs) + len(part.dependencies) + len(part.events))
