"""All that a store has kept of one experiment, in words that two runs of the same calls have in common."""

import os
import re

from attrs import frozen

from sweepstake.domain.keys import name_of, proposal_id, report_name, uuid7
from tests.kit.lab import Lab

__all__ = ["Names", "snapshot"]

_TIMES = re.compile(r"\b(seq|\w+_at|not_before)=-?[0-9][0-9.e+]*")


#: Every role that a key plays, here or in a process that is killed.
_ROLES = (
    *("adds", "clam", "dele", "done", "held", "more", "goon", "prun", "puts", "queu", "retr"),
    *(verb + who for verb in ("cla", "don", "gon", "pru", "put", "que", "ret") for who in "ab"),
)


@frozen
class Names:
    """Op keys and ids of one run: the same in all runs but for their beginning.

    Attributes:
        run: how they begin.
    """

    run: str

    @classmethod
    def new(cls) -> "Names":
        """Begin a run that nobody had before."""
        return cls(uuid7(0, os.urandom(10))[-22:])

    def key(self, role: str) -> str:
        """Return the key that plays this role: four letters, none of them behind `v` in the alphabet."""
        assert len(role) == 4, role
        assert role in _ROLES, role
        return self.run + role

    def blank(self, words: object) -> str:
        """Return the words without what differs from run to run."""
        text = str(words).replace(self.run, "")
        for role in _ROLES:
            key = self.run + role
            text = text.replace(name_of(key), f"name of {role}").replace(proposal_id(key), f"proposal of {role}")
            for other in _ROLES:
                text = text.replace(report_name(key, self.run + other), f"report {role} on {other}")
        return _TIMES.sub(r"\1=*", text)


def snapshot(lab: Lab, names: Names) -> str:
    """Return everything that the store tells of an experiment, its jobs and their attempts."""
    record = lab.record()
    told: list[object] = [record.status, record.created, record.proposals, lab.queue.count_jobs(lab.name)]
    for job in lab.jobs():
        told += [job, *lab.attempts(job.id)]
    return "\n".join(names.blank(one) for one in told)
