"""Pages of all that is kept of an experiment, and the parts in which one comes from elsewhere."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from sweepstake.domain.portable import MAX_PART, ExportPage, ImportPart, PortableJob
from sweepstake.errors import InvalidInputError
from sweepstake.ports import Archive
from sweepstake.search import policy_for

__all__ = ["check_part", "page_of_export"]

#: Jobs of the first read of a page; later ones double, as far as their size allows. A database may read all of them
#: before it returns the first, and only that may fit into the page.
_FIRST_READ: Final = 1
#: A page ends early when its texts reach this many characters.
_PAGE_TEXT: Final = 4 * 1024 * 1024
_SECTIONS: Final = ("jobs", "dependencies", "events")


def page_of_export(archive: Archive, name: str, start: str | None) -> ExportPage:
    """Return a page as `ports.Queue.export_page` describes it."""
    section, after, on, last = _parse_start(start)
    if section == "jobs":
        return _page_of_jobs(archive, name, after)
    if section == "dependencies":
        waits = archive.dependencies(name, (after, on), last, MAX_PART)
        more = f"dependencies.{waits[-1][0][0]}.{waits[-1][0][1]}.{last}" if len(waits) == MAX_PART else "events.0.0.0"
        return ExportPage(dependencies=tuple(dependency for _, dependency in waits), next=more)
    events = archive.events(name, after, MAX_PART)
    following = f"events.{events[-1][0]}.0.0" if len(events) == MAX_PART else None
    return ExportPage(events=tuple(event for _, event in events), next=following)


def _page_of_jobs(archive: Archive, name: str, after: int) -> ExportPage:
    jobs: list[PortableJob] = []
    text, size = 0, _FIRST_READ
    while text < _PAGE_TEXT and len(jobs) + size <= MAX_PART:
        found, whole = archive.jobs(name, after, size)
        jobs += [job for _, job in found]
        after = found[-1][0] if found else after
        if whole and len(found) < size:
            # A job that is added from now on is not part of the export, nor is what it waits for.
            return ExportPage(jobs=tuple(jobs), next=f"dependencies.0.0.{after}")
        text += sum(_size(job) for _, job in found)
        size = min(2 * size, MAX_PART // 4, 1 + _PAGE_TEXT * len(jobs) // (4 * text + 1))
    return ExportPage(jobs=tuple(jobs), next=f"jobs.{after}.0.0")


def _size(job: PortableJob) -> int:
    attempts = sum(
        len(each.reason) + len(each.output) + (len(each.late_results.text) if each.late_results else 0)
        for each in job.attempts
    )
    return len(job.hyperparameters.text) + len(job.results.text) + len(job.notes) + attempts


def _parse_start(start: str | None) -> tuple[str, int, int, int]:
    if start is None:
        return "jobs", 0, 0, 0
    section, *numbers = start.split(".")
    good = section in _SECTIONS and len(numbers) == 3
    if not good or not all(each.isascii() and each.isdigit() and len(each) <= 18 for each in numbers):
        raise InvalidInputError.at("start", "is not the `next` of a page of an export")
    after, on, last = map(int, numbers)
    return section, after, on, last


def check_part(part: ImportPart) -> ImportPart:
    """Return the part with its search as this version writes it, after making sure that it can propose."""
    if part.experiment is None:
        return part
    search = policy_for(part.experiment.search).definition()
    return evolve(part, experiment=evolve(part.experiment, search=search))
