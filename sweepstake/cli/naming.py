"""What people name on the command line: experiments, jobs by a part of their id, and how the shell completes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from sweepstake.cli.target import Target
from sweepstake.client import Experiment, Job
from sweepstake.client.listing import iterate
from sweepstake.domain.addresses import told_apart
from sweepstake.domain.query.queries import JobQuery
from sweepstake.errors import InvalidInputError, NotFoundError, SweepstakeError
from sweepstake.view.ids import LEAST

__all__ = ["EXPERIMENT", "JOB", "Listed", "find_id", "find_job", "find_jobs"]

#: The most words that are offered, and the most experiments that are looked at for them.
_MOST: Final = 100
_LOOKED_AT: Final = 10_000
#: What every shell takes for one word, and for nothing else. Bash puts what is offered into the line as it is: in a
#: name that somebody else chose, the rest could be a command.
_WORD: Final = re.compile(r"\w[\w.,:=@%+/-]*")


class _Experiment(StringParamType):
    """The name of an experiment."""

    name = "experiment"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the experiments of the store."""
        del param

        def names() -> Iterator[str]:
            found = list(islice(ctx.ensure_object(Target).database().get_experiments(), _LOOKED_AT))
            names = told_apart([(each.owner, each.name) for each in found])
            yield from (name for name in names if name.startswith(incomplete))

        return _offered(names())


class _Job(StringParamType):
    """The id of a job, or a part of it."""

    name = "job"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the jobs of the experiment that is named already, whose ids begin or end so."""
        del param
        experiment = ctx.params.get("experiment")
        if not isinstance(experiment, str):
            return []

        def ids() -> Iterator[str]:
            query = JobQuery(part=incomplete or None)
            target = ctx.ensure_object(Target)
            for record in iterate(target.database().session.queue, target.reference(experiment), query):
                yield record.id

        return _offered(ids())


EXPERIMENT: Final = _Experiment()
JOB: Final = _Job()


class Listed(StringParamType):
    """A word of a list that a target knows, such as the id of a token; it is offered by its beginning or its end."""

    def __init__(self, name: str, words: Callable[[Target], Iterable[str]]) -> None:
        self.name = name
        self._words = words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the words that begin or end so."""
        del param

        def words() -> Iterator[str]:
            for word in self._words(ctx.ensure_object(Target)):
                if word.startswith(incomplete) or word.endswith(incomplete):
                    yield word

        return _offered(words())


def _offered(words: Iterable[str]) -> list[CompletionItem]:
    """Return words to offer; a store that cannot be asked offers none, and the shell stays quiet."""
    try:
        return [CompletionItem(word) for word in islice(filter(_WORD.fullmatch, words), _MOST)]
    except (SweepstakeError, OSError):
        return []


#: How many are named of those that a part could mean.
_TOLD: Final = 10


def find_job(experiment: Experiment, text: str) -> Job:
    """Return the job with this id, else the only one whose id begins or ends with the text.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several; it lists them.
    """
    try:
        return experiment.get_job(text)
    except NotFoundError:
        if len(text) < LEAST:
            raise
        records = iterate(experiment.session.queue, experiment.reference, JobQuery(part=text))
        found = list(islice(records, _TOLD + 1))
        if not found:
            raise
    if len(found) == 1:
        return experiment.get_job(found[0].id)
    raise _ambiguous("job", text, [record.id for record in found])


def find_id(what: str, text: str, ids: Iterable[str]) -> str:
    """Return the id that is meant: this very one, else the only one that begins or ends with the text.

    A text that means none is returned as it is, for whoever looks the id up to say so.

    Raises:
        InvalidInputError: there are several; it lists them.
    """
    known = list(ids)
    if text in known or len(text) < LEAST:
        return text
    found = [each for each in known if each.startswith(text) or each.endswith(text)]
    if len(found) > 1:
        raise _ambiguous(what, text, found)
    return found[0] if found else text


def _ambiguous(what: str, text: str, ids: Sequence[str]) -> InvalidInputError:
    more = " and more" if len(ids) > _TOLD else ""
    listed = ", ".join(ids[:_TOLD])
    return InvalidInputError.at(what, f"{text!r} is a part of several ids, say which is meant: {listed}{more}")


def find_jobs(experiment: Experiment, texts: Iterable[str]) -> list[Job]:
    """Return the jobs of several texts as `find_job` does, each once; of one that is not clear none is returned."""
    found = [find_job(experiment, text) for text in dict.fromkeys(texts)]
    return list({job.job_id: job for job in found}.values())
