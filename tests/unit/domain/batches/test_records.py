"""What a batch may be: whatever it cannot be is named by its path."""

from typing import Any

import pytest

from sweepstake.domain.batches.records import MAX_JOBS, BatchDraft, check_batches
from sweepstake.errors import InvalidInputError


def batch(batch_id: str = "b", *jobs: str, **more: Any) -> BatchDraft:
    """Make the draft of a batch."""
    return BatchDraft(**{"id": batch_id, "jobs": jobs or ("x", "y"), "backend": "slurm", **more})


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"id": ""}, "id: must have 1 to 255 characters"),
        ({"jobs": ()}, "jobs: must name at least 1"),
        ({"jobs": ("x", "y", "x")}, r"jobs\[2\]: names 'x' once more"),
        ({"jobs": ("x", "a\n")}, r"jobs\[1\]: holds the character U\+000A"),
        ({"dependencies": ("a", "a")}, r"dependencies\[1\]: names 'a' once more"),
        ({"backend": ""}, "backend: must have 1 to 255 characters"),
        ({"name": "a\n"}, "name: holds the character"),
        ({"nodes": 0}, "nodes: must be 1 to"),
        ({"timeout": -1.0}, "timeout: must be 0 to"),
        ({"estimated_runtime": float("nan")}, "estimated_runtime: must be 0 to"),
        ({"estimates": (1.0, float("inf"))}, r"estimates\[1\]: must be 0 to"),
        ({"starts": (-1.0, 0.0)}, r"starts\[0\]: must be 0 to"),
    ],
)
def test_what_a_batch_cannot_be_is_named(wrong: dict[str, Any], message: str) -> None:
    """By the field, and within a list by the place."""
    with pytest.raises(InvalidInputError, match=message):
        batch(**wrong)


def test_batches_that_go_together_share_nothing() -> None:
    """Neither an id nor a job, and they are not too many."""
    check_batches([batch("a", "x"), batch("b", "y")], "batches")
    for wrong, message in (
        ([batch("a", "x"), batch("a", "y")], r"batches\[1\].id: is that of batches\[0\] as well: 'a'"),
        (
            [batch("a", "x"), batch("b", "y", "z", estimates=(1.0,))],
            r"batches\[1\].estimates: must have a number for each of the 2 jobs, or none; has 1",
        ),
        ([batch("a", "x"), batch("b", "y", "x")], r"batches\[1\].jobs\[1\]: is in batches\[0\] as well: 'x'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            check_batches(wrong, "batches")


def test_a_call_has_so_many_jobs_at_most() -> None:
    """The error says what to do."""
    half = MAX_JOBS // 2 + 1
    drafts = [batch(f"b{i}", *(f"{i} {j}" for j in range(half))) for i in range(2)]
    with pytest.raises(InvalidInputError, match="more than 100,000 jobs together; submit them in several calls"):
        check_batches(drafts, "batches")
