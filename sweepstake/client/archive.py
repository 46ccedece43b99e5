"""An experiment as a file of JSON lines: a header, what is kept of it, and a last line that says how much that is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, Final, TextIO

from attrs import frozen

from sweepstake.codec import from_file, to_tree
from sweepstake.domain.names import check_name
from sweepstake.domain.portable import (
    MAX_PART,
    SECTIONS,
    ExportPage,
    ImportPart,
    PortableExperiment,
    Totals,
)
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError, SweepstakeError
from sweepstake.queue.queue import Queue
from sweepstake.values import parse_json

__all__ = ["VERSIONS", "Exported", "export_experiment", "import_experiment"]

#: Versions of the format, one of which stands in the header: without specs, as it was before there were any, and with.
VERSIONS: Final = (1, 2)
_FORMAT: Final = "sweepstake-export"
#: A part of an import is sent when its lines reach this many characters.
_PART_TEXT: Final = 4 * 1024 * 1024
#: With which word a line of a file begins, and in which field of a page or a part it belongs.
_WORDS: Final = {"spec": "specs", "job": "jobs", "dependency": "dependencies", "event": "events"}
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode

Progress = Callable[[int], None]


@frozen
class Exported:
    """How much was written, and how many of the jobs were RUNNING then."""

    totals: Totals
    running: int


def export_experiment(queue: Queue, name: str, file: TextIO, progress: Progress) -> Exported:
    """Write all that the queue knows of an experiment, a page at a time; jobs are as when their page is read.

    Files and outputs that attempts have left are not part of it.

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
    counts: Counter[str] = Counter()
    running = 0
    for number, page in enumerate(_pages(queue, record.reference)):
        if number == 0:
            version = VERSIONS[bool(page.specs)]
            _write(file, {_FORMAT: version, "name": record.name, "experiment": to_tree(definition)})
        for word, many in _WORDS.items():
            for item in getattr(page, many):
                _write(file, {word: to_tree(item)})
            counts[many] += len(getattr(page, many))
        running += sum(job.status is JobStatus.RUNNING for job in page.jobs)
        counts["attempts"] += sum(len(job.attempts) for job in page.jobs)
        progress(_lines_of(page))
    totals = Totals(**counts)
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


def _lines_of(moved: ExportPage | ImportPart) -> int:
    """Return how many lines of a file a page or a part is."""
    return sum(len(getattr(moved, many)) for many in SECTIONS)


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
    sent = ImportPart(id=queue.new_id(), number=0, experiment=definition)
    try:
        for part in chain([sent], _parts(sent.id, lines)):
            queue.import_part(name, part)
            sent = part
            progress(_lines_of(part))
    except BaseException:
        with suppress(SweepstakeError):  # nobody sees what was sent, and the store forgets it within a day
            queue.import_part(name, ImportPart(id=sent.id, number=sent.number, abandon=True))
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
        if number > 1 and (len(tree) != 1 or kind not in (*_WORDS, "end")):
            known = ", ".join((*_WORDS, "end"))
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
    if version not in VERSIONS:
        raise InvalidInputError.at(
            "line 1", f"has version {version}, and this Sweepstake reads up to {VERSIONS[-1]}: install a newer one"
        )
    definition = from_file(line.value.get("experiment"), PortableExperiment, "line 1.experiment")
    return check_name(line.value.get("name"), "line 1.name"), definition


def _parts(import_id: str, lines: Iterator[_Line]) -> Iterator[ImportPart]:
    """Collect lines into the parts of an import after its first; the last one has the totals."""
    number, size = 1, 0
    items: dict[str, list[Any]] = {many: [] for many in SECTIONS}

    def part(totals: Totals | None = None) -> ImportPart:
        moved: dict[str, Any] = {many: tuple(found) for many, found in items.items()}
        return ImportPart(id=import_id, number=number, totals=totals, **moved)

    for line in lines:
        if line.kind == "end":
            totals = from_file(line.value, Totals, f"{line.path}.end")
            for behind in lines:
                raise InvalidInputError.at(behind.path, f"stands behind the end, which is line {line.number}")
            yield part(totals)
            return
        many = _WORDS[line.kind]
        items[many].append(from_file(line.value, SECTIONS[many], f"{line.path}.{line.kind}"))
        size += line.size
        if size >= _PART_TEXT or len(items[many]) >= MAX_PART:
            yield part()
            number, size, items = number + 1, 0, {many: [] for many in SECTIONS}
    raise InvalidInputError.at("end", "is missing: the file was cut off, and nothing of it was imported")
