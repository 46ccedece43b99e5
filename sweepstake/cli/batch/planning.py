"""`sweepstake batch plan`: what would be submitted, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import click

from sweepstake.batch.planning import BatchSpec
from sweepstake.batch.preparing import Prepared, prepare
from sweepstake.batch.reading import Reading
from sweepstake.batch.searching import makes_jobs
from sweepstake.batch.site import limit_seconds
from sweepstake.batch.wishes import Wishes
from sweepstake.cli.batch.picture import begins, picture_of, rows_of
from sweepstake.cli.moments import span
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option, print_rows, say, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment
from sweepstake.plaintext import counted
from sweepstake.view.times import spanning

__all__ = [
    "Span",
    "check_search",
    "nothing_in",
    "plan",
    "planning_options",
    "search_option",
    "site_options",
    "tree_of",
    "wishes_of",
]

C = TypeVar("C", bound=Callable[..., Any])
#: Batches of which a person sees a row each; of more, the first.
_SHOWN: Final = 20


class Span(click.ParamType):  # type: ignore[type-arg]  # click 8.1 knows no parameter of it
    """A span of time such as ``90m`` or ``2h``, or a number of seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        seconds = span(value)
        if seconds is None:
            try:
                seconds = float(value)
            except ValueError:
                seconds = -1.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no span of time; say it as 90s, 30m, 2h or 1d.", param, ctx)
        return seconds


def planning_options(command: C) -> C:
    """Add what says how jobs are packed."""
    for option in (
        click.option("--duration", type=Span(), help="How long a batch may run, such as 2h; 30m without --count."),
        click.option("--count", metavar="N|max", help="At most so many batches; max: one for each job."),
        click.option(
            "--layout",
            type=click.Choice(["flat", "atomic"]),
            default="flat",
            show_default=True,
            help="atomic: jobs that wait for each other stand in one batch.",
        ),
        click.option(
            "--nodes",
            type=click.Choice(["any", "same"]),
            default="any",
            show_default=True,
            help="same: only jobs of as many nodes stand together.",
        ),
        click.option(
            "--capacity", metavar="nodes=N,cpus=N,gpus=N", help="The most nodes of an allocation, and what each has."
        ),
        click.option("--skip-misfits", is_flag=True, help="Leave out jobs that fit into no allocation."),
        click.option(
            "--checkpoints",
            is_flag=True,
            help="Jobs keep checkpoints: what takes longer than an allocation may is begun, and goes on in the next.",
        ),
        click.option(
            "--backend", metavar="local|slurm|pbs|flux|...", help="The scheduler, which is asked what there is."
        ),
        click.option("--partition", help="The partition, or queue, of the cluster."),
        click.option("--estimate", type=Span(), help="How long a job runs of whose like none has finished."),
        click.option(
            "--quantile",
            type=click.FloatRange(0, 1, min_open=True),
            default=0.9,
            show_default=True,
            help="Which share of jobs shall run no longer than its estimate.",
        ),
        click.option(
            "--cpus-per-job",
            type=click.FloatRange(0, min_open=True),
            default=1,
            show_default=True,
            help="Of jobs without a spec.",
        ),
        click.option(
            "--gpus-per-job", type=click.IntRange(0), default=0, show_default=True, help="Of jobs without a spec."
        ),
    ):
        command = option(command)
    return command


def search_option(command: C) -> C:
    """Add how many jobs a search is asked for."""
    return click.option(
        "--jobs", type=click.IntRange(1), metavar="N", help="Ask the search for jobs until N wait; it makes them."
    )(command)


def check_search(experiment: Experiment, jobs: int | None) -> None:
    """Refuse to wait for jobs that nobody asks a search for.

    Raises:
        click.UsageError: nobody says how many.
    """
    if jobs is None and makes_jobs(experiment):
        raise click.UsageError("Its search makes jobs when it is asked: say with --jobs how many shall wait at a time.")


def site_options(command: C) -> C:
    """Add what a scheduler is told beside what the batches need."""
    for option in (
        click.option(
            "--sbatch-arg", "extra", multiple=True, metavar="ARG", help="For the scheduler, as it is; repeatable."
        ),
        click.option(
            "--fill", is_flag=True, help="Let an allocation run other jobs that fit while none of its own can begin."
        ),
        click.option("--constraint", help="Features that nodes must have."),
        click.option("--qos", help="The quality of service."),
        click.option("--account", help="Who pays."),
        click.option(
            "--time", "time_limit", metavar="LIMIT", help="Limit of an allocation, as the scheduler reads it."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@planning_options
@site_options
@wide_option
@format_option
@pass_target
def plan(target: Target, /, experiment: str, wide: bool, format_: str, **settings: Any) -> None:
    """Show what would be submitted, and why.

    The queued jobs of EXPERIMENT that are not under way are packed into allocations by what they need, what they wait
    for and how long they will run; nothing is submitted.
    """
    prepared = prepare(target.experiment(experiment), wishes_of(settings), settled=False)
    if format_ == "json":
        as_json([tree_of(each, prepared) for each in prepared.batches])
        return
    for each in prepared.read.left_out:
        say(f"{each}.", err=True)
    if not prepared.batches:
        say(nothing_in(target.called(experiment), prepared))
        return
    limits = {spec.id: prepared.limit(spec) or 0.0 for spec in prepared.batches}
    print_rows(rows_of(prepared.batches[:_SHOWN], prepared.capacity_of, limits), wide=wide)
    if len(prepared.batches) > _SHOWN:
        say(f"... and {counted(len(prepared.batches) - _SHOWN, 'batch', 'batches')} more; --format json shows all.")
    for line in picture_of(prepared.batches[:_SHOWN], prepared.capacity_of):
        say(line)
    say(_why(prepared.read, prepared.batches, settings))


def wishes_of(settings: Mapping[str, Any], command: Sequence[str] = ()) -> Wishes:
    """Return what the options say.

    Raises:
        click.UsageError: nobody says what an allocation has.
    """
    if settings["capacity"] is None and settings["backend"] is None:
        raise click.UsageError(
            "Say what an allocation has, such as --capacity nodes=1,cpus=8,gpus=2, or with --backend which "
            "scheduler knows it."
        )
    said = {name: value for name, value in settings.items() if name not in ("count", "time_limit")}
    text = settings["time_limit"]
    return Wishes(
        count=_count(settings["count"]),
        time_limit=None if text is None else limit_seconds(settings["backend"] or "", text, "--time"),
        command=command,
        **said,
    )


def tree_of(spec: BatchSpec, prepared: Prepared) -> dict[str, Any]:
    """Return a batch for JSON."""
    return {
        "id": spec.id,
        "jobs": [member for job in spec.jobs for member in prepared.read.members[job.id]],
        "nodes": spec.nodes,
        "estimated_runtime": spec.estimated_runtime,
        "timeout": prepared.limit(spec),
        "dependencies": list(spec.dependencies),
    }


def nothing_in(called: str, prepared: Prepared) -> str:
    """Return why there is nothing to submit of an experiment."""
    if makes_jobs(prepared.packing.experiment) and prepared.packing.wishes.jobs is None:
        asks = f"`sweepstake batch submit {called} --jobs 20 ...` asks it for twenty first"
        return f"Nothing waits in {called}: its search makes jobs when workers ask for some. {asks}."
    if prepared.live:
        return "All that waits is under way."
    return f"Nothing waits in {called}."


def _count(text: str | None) -> int | Literal["max"] | None:
    if text is None:
        return None
    if text == "max":
        return "max"
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise click.UsageError(f"--count takes a number from 1, or max; not {text!r}.")
    return int(text)


def _why(read: Reading, batches: Sequence[BatchSpec], settings: Mapping[str, Any]) -> str:
    """Return in some lines why there are so many batches, and how sure their times are."""
    jobs = sum(len(read.members[job.id]) for spec in batches for job in spec.jobs)
    starts = begins(batches)
    end = max(starts[spec.id] + (spec.estimated_runtime or 0.0) for spec in batches)
    hours = sum((spec.estimated_runtime or 0.0) * spec.nodes for spec in batches) / 3600
    packed = f"{counted(jobs, 'job')} in {counted(len(batches), 'batch', 'batches')}"
    lines = [f"{packed}, {_rounded(hours)} node-hours: done {spanning(end)} after they get their nodes."]
    waits = sum(bool(spec.dependencies) for spec in batches)
    if waits:
        lines.append(f"{counted(waits, 'batch waits', 'batches wait')} for others, as jobs do.")
    longest = settings["duration"]
    alone = [spec for spec in batches if longest and (spec.estimated_runtime or 0.0) > longest]
    if alone:
        lines.append(
            f"{counted(len(alone), 'batch runs', 'batches run')} longer than --duration: one job of each does alone."
        )
    for source, number in sorted(read.sources.items(), key=lambda each: -each[1])[:5]:
        said = "--estimate, as no job like them has finished" if source == "fallback" else f"the {source}"
        lines.append(f"How long {counted(number, 'job')} will run: {said}.")
    return "\n".join(lines)


def _rounded(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
