"""What must hold between the parts of a whole spec: images, results of other tasks, sweeps and their placeholders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sweepstake.spec.placeholders import Placeholder, pieces
from sweepstake.spec.tree import Found

__all__ = ["image_faults", "repeated_names", "spec_faults"]

#: So many tasks of a circle are named.
_LONGEST: Final = 8

# A spec that is checked may be one in part only: then what is missing is None, wherever it is.


def spec_faults(spec: Any) -> Iterator[Found]:
    """Yield all that is wrong between the parts of a spec, which are in order by themselves."""
    tasks = list(enumerate(spec.tasks or ()))
    for i, task in tasks:
        if task is not None:
            yield from image_faults(task, [i, "tasks"])
    yield from _unknown_results(tasks)
    yield from _cycles(tasks)
    yield from _several_sweeps(spec, tasks)
    for i, task in tasks:
        if task is not None:
            yield from _unknown_placeholders(task, task.sweep or spec.sweep, [i, "tasks"])


def image_faults(task: Any, below: list[str | int]) -> Iterator[Found]:
    """Yield what is wrong with the image of a task, if it is known."""
    image = task.image
    if image is not None and (image.beaker is None) == (image.docker is None):
        which = "has both" if image.beaker is not None else "has none"
        yield Found(f"must have exactly one of beaker and docker, {which}", None, ["image", *below])


def repeated_names(tasks: Iterable[Any]) -> Iterator[Found]:
    """Yield a fault for each task that is called as one before it."""
    first: dict[str, int] = {}
    for i, task in enumerate(tasks):
        name = task.name if task is not None else None
        if name is None:
            continue
        if name in first:
            yield Found(f"is the name of tasks[{first[name]}] too: {name!r}", None, ["name", i, "tasks"])
        first.setdefault(name, i)


def _results(task: Any) -> Iterator[tuple[int, str]]:
    """Yield the tasks whose results a task mounts, with the positions of the mounts."""
    for j, mount in enumerate((task.datasets if task is not None else None) or ()):
        source = mount.source if mount is not None else None
        if source is not None and source.result is not None:
            yield j, source.result


def _unknown_results(tasks: list[tuple[int, Any]]) -> Iterator[Found]:
    names = {task.name for _, task in tasks if task is not None}
    for i, task in tasks:
        for j, name in _results(task):
            if name not in names:
                problem = f"names the task {name!r}, which the spec does not have"
                yield Found(problem, None, ["result", "source", j, "datasets", i, "tasks"])


def _cycles(tasks: list[tuple[int, Any]]) -> Iterator[Found]:
    """Yield a fault for each mount that closes a circle of tasks, none of which could ever begin."""
    named: dict[str, tuple[int, Any]] = {}
    for i, task in tasks:
        if task is not None and task.name is not None:
            named.setdefault(task.name, (i, task))
    done: set[str] = set()
    for start in named:
        if start in done:
            continue
        path = [start]
        open_ = {start}
        ways = [_results(named[start][1])]
        while ways:
            following = next(ways[-1], None)
            if following is None:
                ways.pop()
                name = path.pop()
                open_.discard(name)
                done.add(name)
                continue
            j, name = following
            if name in open_:
                i = named[path[-1]][0]
                yield Found(
                    f"waits for itself: {_circle(path, name)}", None, ["result", "source", j, "datasets", i, "tasks"]
                )
            elif name in named and name not in done:
                path.append(name)
                open_.add(name)
                ways.append(_results(named[name][1]))


def _circle(path: list[str], name: str) -> str:
    """Write the way from a task to itself, or its end if it is long."""
    start = path.index(name)
    shown = path[max(start, len(path) - _LONGEST) :]
    return " -> ".join([*(["..."] if len(path) - start > _LONGEST else []), *shown, name])


def _several_sweeps(spec: Any, tasks: list[tuple[int, Any]]) -> Iterator[Found]:
    """A sweep is that of a whole spec or of one task: there is one search an experiment."""
    places: list[list[str | int]] = [["sweep"]] if spec.sweep is not None else []
    places += [["sweep", i, "tasks"] for i, task in tasks if task is not None and task.sweep is not None]
    for place in places[1:]:
        yield Found("is a second sweep; a spec has one, at its top or in one of its tasks", None, place)


def _unknown_placeholders(task: Any, sweep: Any, below: list[str | int]) -> Iterator[Found]:
    names = sweep.names if sweep is not None else None
    if names is None:  # no sweep, or one whose hyperparameters are chosen by whoever adds jobs
        return
    for text, steps in _texts(task):
        for piece in pieces(text, names):
            if isinstance(piece, Placeholder) and piece.name not in names:
                known = ", ".join(names)
                problem = f"has the placeholder {{{piece.name}}}; the sweep has {known}; double braces that are text"
                yield Found(problem, None, [*steps, *below])


def _texts(task: Any) -> Iterator[tuple[str, list[str | int]]]:
    for field in ("command", "arguments"):
        for i, item in enumerate(getattr(task, field) or ()):
            if isinstance(item, str):
                yield item, [i, field]
    for i, variable in enumerate(task.env_vars or ()):
        if variable is not None and variable.value is not None:
            yield variable.value, ["value", i, "env_vars"]
