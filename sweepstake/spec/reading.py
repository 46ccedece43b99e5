"""YAML as a tree: the events of libyaml, in which nothing is built but texts, lists and mappings."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from sweepstake.errors import MissingExtraError
from sweepstake.spec.tree import MAX_DEPTH, Faults, Found, ListNode, MapNode, Node, Scalar

__all__ = ["read_bytes", "read_file_bytes", "uncollected"]

#: The largest file; 10,000 tasks of 200 lines are half of it.
MAX_BYTES: Final = 64 * 1024 * 1024
#: How many anchors a file may have; people write a few.
MAX_ANCHORS: Final = 1000
#: How many nodes aliases may stand for in all. Without a limit a file of a few lines could mean billions.
MAX_REPEATED: Final = 1_000_000
#: How often a file may use its anchors.
MAX_ALIASES: Final = 100_000
_MERGE: Final = "<<"
#: How JSON escapes a character such as an emoji, in two halves that YAML does not join.
_PAIR: Final = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)
#: Where Beaker's command puts a variable of its environment before it reads the file, and how many are told.
_UNFILLED: Final = re.compile(r"\{\{-?\s*\.Env\.\w+\s*-?\}\}")
_MOST_UNFILLED: Final = 1000
#: So many bytes are read at once.
_PIECE: Final = 1024 * 1024


@contextmanager
def uncollected() -> Iterator[None]:
    """Let Python's search for cycles of garbage rest in the block.

    A tree of a hundred thousand nodes has none, and is searched again and again as it grows: that takes as long as
    everything else together.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_file_bytes(path: Path) -> bytes:
    """Return what a file holds, as far as a spec can be long."""
    with path.open("rb") as file:
        data = bytearray()
        while len(data) <= MAX_BYTES and (piece := file.read(_PIECE)):
            data += piece
    return bytes(data)


def read_bytes(data: bytes) -> tuple[MapNode, list[Found]]:
    """Return the one document that a file holds, and what is wrong with it that does not keep it from being read.

    Raises:
        Faults: it cannot be read as one; all that can be told of it is told.
        MissingExtraError: PyYAML is not installed.
    """
    if len(data) > MAX_BYTES:
        raise Faults.at(None, f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise Faults.at(Scalar("", line=line, column=column), "is not UTF-8") from None
    unfilled = list(islice(_unfilled(text), _MOST_UNFILLED)) if ".Env." in text else []
    if unfilled:
        raise Faults(unfilled)
    if text.lstrip().startswith("{"):
        text = _PAIR.sub(_joined, text)
    composer = _Composer()
    root = composer.compose(text)
    if isinstance(root, Scalar) and root.null:
        raise Faults([*composer.found, Found("is empty", None)])
    if not isinstance(root, MapNode):
        raise Faults([*composer.found, Found("must be a mapping of names to values", root)])
    return root, composer.found


def _unfilled(text: str) -> Iterator[Found]:
    """Yield where a file is no spec yet, but what Beaker's command makes one of; comments do not count."""
    for number, line in enumerate(text.split("\n"), 1):
        said = "" if line.lstrip().startswith("#") else line.partition(" #")[0]
        for match in _UNFILLED.finditer(said):
            problem = f"has {match[0]:.80}, which Beaker's command fills in; write the value itself"
            yield Found(problem, Scalar("", line=number, column=match.start() + 1))


def _joined(pair: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in pair.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _parser() -> Any:
    """Return the module of PyYAML, whose events come from libyaml, or from its own parser where it came without."""
    try:
        import yaml
    except ImportError:
        raise MissingExtraError.of("reading a spec needs PyYAML", "spec") from None
    return yaml


@define
class _Open:
    """A list or mapping whose end has not come yet."""

    node: ListNode | MapNode
    anchor: str | None
    #: How many nodes there are in it so far, those that aliases stand for included.
    size: int = 1
    key: Scalar | None = None
    #: Whether it takes in other mappings.
    merges: bool = False


@define
class _Composer:
    """Makes a tree of events, one after the other; however deep a file nests, Python's stack does not."""

    stack: list[_Open] = field(factory=list)
    anchors: dict[str, tuple[Node, int]] = field(factory=dict)
    found: list[Found] = field(factory=list)
    root: Node | None = None
    aliases: int = 0
    repeated: int = 0

    def compose(self, text: str) -> Node:
        """Return the tree of a text, or raise `Faults`; what is wrong with a tree that there is stays in `found`."""
        yaml = _parser()
        take = {
            yaml.ScalarEvent: self._scalar,  # most of a file, and so the one that is written to be quick
            yaml.SequenceStartEvent: self._start_list,
            yaml.MappingStartEvent: self._start_mapping,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            next_event = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text).get_event
            while type(event := next_event()) is not yaml.StreamEndEvent:
                if (act := take.get(type(event))) is not None:
                    act(event)
        except yaml.YAMLError as error:
            raise Faults([*self.found, _not_yaml(error, text)]) from None
        return self.root if self.root is not None else Scalar("", plain=True)

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self._fault(event, "begins a second document; a file holds one spec")
            raise Faults(self.found)

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        node = Scalar(event.value, not event.style, mark.line + 1, mark.column + 1)
        if event.tag is not None:
            self._tagged(event)
        if event.anchor is not None:
            self._name(event, node, 1)
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.size += 1
        if isinstance(top.node, ListNode):
            top.node.items.append(node)
        elif top.key is None:
            top.key = node
            top.merges = top.merges or _is_merge(node)
        else:
            top.node.pairs.append((top.key, node))
            top.key = None

    def _start_list(self, event: Any) -> None:
        self._open(event, ListNode([], event.start_mark.line + 1, event.start_mark.column + 1))

    def _start_mapping(self, event: Any) -> None:
        self._open(event, MapNode([], event.start_mark.line + 1, event.start_mark.column + 1))

    def _open(self, event: Any, node: ListNode | MapNode) -> None:
        if event.tag is not None:
            self._tagged(event)
        if len(self.stack) >= MAX_DEPTH:
            self._fault(event, f"nests deeper than {MAX_DEPTH} levels")
            raise Faults(self.found)
        self.stack.append(_Open(node, event.anchor))

    def _end(self, event: Any) -> None:
        done = self.stack.pop()
        if done.merges and isinstance(done.node, MapNode):
            self._merge(done.node)
        if done.anchor is not None:
            self._name(event, done.node, done.size, done.anchor)
        self._add(done.node, done.size)

    def _alias(self, event: Any) -> None:
        self.aliases += 1
        if event.anchor not in self.anchors:
            inside = any(each.anchor == event.anchor for each in self.stack)
            why = "stands within what it repeats" if inside else "repeats what has not been written above"
            self._fault(event, f"the alias *{event.anchor} {why}")
            self._add(Scalar("", True, event.start_mark.line + 1, event.start_mark.column + 1), 1)
            return
        node, size = self.anchors[event.anchor]
        self.repeated += size
        if self.repeated > MAX_REPEATED or self.aliases > MAX_ALIASES:
            self._fault(event, "anchors are repeated so often that the file means millions of values")
            raise Faults(self.found)
        self._add(node, size)

    def _name(self, event: Any, node: Node, size: int, anchor: str | None = None) -> None:
        self.anchors[anchor or event.anchor] = node, size
        if len(self.anchors) > MAX_ANCHORS:
            self._fault(event, f"has more than {MAX_ANCHORS:,} anchors")
            raise Faults(self.found)

    def _add(self, node: Node, size: int) -> None:
        """Put a node where it was written: into the innermost list or mapping that is open."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.size += size
        if isinstance(top.node, ListNode):
            top.node.items.append(node)
        elif top.key is not None:
            top.node.pairs.append((top.key, node))
            top.key = None
        elif isinstance(node, Scalar):
            top.key = node  # an alias
        else:
            self.found.append(Found("must have a text for a key", node, self._steps()))
            top.key = Scalar("?", line=node.line, column=node.column)

    def _merge(self, node: MapNode) -> None:
        """Take in what ``<<`` names; what is written in the mapping itself counts, and then what is named first."""
        merges = [pair for pair in node.pairs if _is_merge(pair[0])]
        node.pairs = [pair for pair in node.pairs if not _is_merge(pair[0])]
        taken = {key.text for key, _ in node.pairs}
        for key, value in merges:
            for source in value.items if isinstance(value, ListNode) else [value]:
                if not isinstance(source, MapNode):
                    self.found.append(Found("must name a mapping, or a list of them, to merge", key, self._steps()))
                    continue
                new = [pair for pair in source.pairs if pair[0].text not in taken]
                node.pairs += new
                taken.update(pair[0].text for pair in new)

    def _tagged(self, event: Any) -> None:
        self._fault(event, f"has the tag {event.tag!r:.80}; a spec has none, and nothing is made of them")

    def _fault(self, event: Any, problem: str) -> None:
        mark = event.start_mark
        place = Scalar("", line=mark.line + 1, column=mark.column + 1)
        self.found.append(Found(problem, place, self._steps()))

    def _steps(self) -> list[str | int]:
        """Return the steps to where the next node goes, the last first."""
        steps: list[str | int] = []
        for each in reversed(self.stack):
            if isinstance(each.node, ListNode):
                steps.append(len(each.node.items))
            elif each.key is not None:
                steps.append(each.key.text)
        return steps


def _is_merge(key: Scalar) -> bool:
    return key.text == _MERGE and key.plain


def _not_yaml(error: Any, text: str) -> Found:
    """Return the fault of a text that is not YAML, as its parser tells it."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        context = f"{error.context}, " if error.context else ""
        return Found(f"is not YAML: {context}{error.problem}", Scalar("", line=mark.line + 1, column=mark.column + 1))
    before = text.encode()[: error.position].decode(errors="ignore")  # the parser counts bytes
    place = Scalar("", line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
    return Found(f"is not YAML: holds the character U+{error.character:04X}, which no file may", place)
