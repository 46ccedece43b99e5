"""The state diagram of a job, drawn from the transition table."""

from collections import defaultdict

from sweepstake.domain.status import TRANSITIONS, JobStatus

__all__ = ["svg"]

_BOXES = {
    JobStatus.QUEUED: (0, 140),
    JobStatus.RUNNING: (310, 140),
    JobStatus.DONE: (600, 30),
    JobStatus.CRASHED: (600, 140),
    JobStatus.PRUNED: (600, 250),
}
_WIDTH, _HEIGHT = 130, 44
#: For each arrow its path and where its words stand; a transition without one is a KeyError here.
_ARROWS = {
    (JobStatus.QUEUED, JobStatus.RUNNING): ("M130 155 H304", (220, 147)),
    (JobStatus.RUNNING, JobStatus.QUEUED): ("M310 171 H136", (220, 190)),
    (JobStatus.RUNNING, JobStatus.DONE): ("M440 150 C520 150 510 52 594 52", (528, 44)),
    (JobStatus.RUNNING, JobStatus.CRASHED): ("M440 162 H594", (526, 156)),
    (JobStatus.RUNNING, JobStatus.PRUNED): ("M440 174 C520 174 510 264 594 264", (576, 226)),
    (JobStatus.CRASHED, JobStatus.QUEUED): ("M600 146 C500 60 200 60 90 134", (345, 72)),
    (JobStatus.PRUNED, JobStatus.QUEUED): ("M600 284 C420 340 20 340 20 190", (300, 336)),
    (JobStatus.QUEUED, JobStatus.PRUNED): ("M65 184 C65 300 280 284 594 284", (300, 300)),
}
_OPENING = """\
<svg viewBox="-2 0 752 342" role="img" aria-label="Transitions between the states of a job"
 style="max-width:750px;width:100%" font-family="sans-serif" font-size="14" fill="currentColor">
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 L8 4 L0 8 z"/></marker></defs>"""
_STYLE = "fill:none;stroke:currentColor;stroke-width:1.4"


def svg() -> str:
    """Return the diagram as SVG, in the colours of the page around it."""
    verbs: dict[tuple[JobStatus, JobStatus], list[str]] = defaultdict(list)
    for transition in TRANSITIONS:
        verbs[transition.before, transition.after].append(transition.verb)
    boxes = [_box(status, *corner) for status, corner in _BOXES.items()]
    arrows = [_arrow(*_ARROWS[ends], words) for ends, words in verbs.items()]
    return "\n".join([_OPENING, *boxes, *arrows, "</svg>", ""])


def _box(status: JobStatus, x: int, y: int) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" style="{_STYLE}"/>'
        f'<text x="{x + _WIDTH / 2}" y="{y + 28}" text-anchor="middle" font-weight="bold">{status}</text>'
    )


def _arrow(path: str, at: tuple[int, int], words: list[str]) -> str:
    x, y = at
    return (
        f'<path d="{path}" style="{_STYLE}" marker-end="url(#tip)"/>'
        f'<text x="{x}" y="{y}" text-anchor="middle" font-size="13">{", ".join(words)}</text>'
    )
