"""`sweepstake batch plan`: what would be submitted, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

import click
from attrs import evolve

from sweepstake.batch.backends.kinds import backend_of
from sweepstake.batch.planning import BatchSpec, Capacity
from sweepstake.batch.planning import plan as make_plan
from sweepstake.batch.planning.checks import misfits
from sweepstake.batch.reading import Reading, read_waiting, without
from sweepstake.batch.site import SiteSettings, site_settings
from sweepstake.cli.batch.picture import begins, picture_of, rows_of
from sweepstake.cli.moments import span
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option, print_rows, say, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.plaintext import counted
from sweepstake.view.times import spanning

__all__ = ["Packing", "Span", "plan", "planned", "planning_options", "site_settings_of", "tree_of"]

C = TypeVar("C", bound=Callable[..., Any])
#: Batches of which a person sees a row each; of more, the first.
_SHOWN: Final = 20


class Span(click.ParamType[float]):
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
        click.option("--backend", metavar="local|slurm|pbs|flux", help="The scheduler, which is asked what there is."),
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


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@planning_options
@wide_option
@format_option
@pass_target
def plan(target: Target, /, experiment: str, wide: bool, format_: str, **settings: Any) -> None:
    """Show what would be submitted, and why.

    The queued jobs of EXPERIMENT are packed into allocations by what they need, what they wait for and how long they
    will run; nothing is submitted.
    """
    read, capacity, batches = planned(target, experiment, settings)
    if format_ == "json":
        as_json([tree_of(each, read.members) for each in batches])
        return
    for each in read.left_out:
        say(f"{each}.", err=True)
    if not batches:
        say(f"Nothing waits in {target.called(experiment)}.")
        return
    print_rows(rows_of(batches[:_SHOWN], capacity), wide=wide)
    if len(batches) > _SHOWN:
        say(f"... and {counted(len(batches) - _SHOWN, 'batch', 'batches')} more; --format json shows all.")
    for line in picture_of(batches[:_SHOWN], capacity):
        say(line)
    say(_why(read, batches, settings))


def planned(
    target: Target, experiment: str, settings: Mapping[str, Any], under_way: Mapping[str, str] = MappingProxyType({})
) -> tuple[Reading, Capacity, tuple[BatchSpec, ...]]:
    """Read what waits and is not under way, and pack it."""
    packing = Packing(target, experiment, settings)
    read = packing.read(under_way)
    return read, packing.capacity(read), packing.pack(read)


class Packing:
    """Packs what waits as options say it; what there is at all, the scheduler is asked once.

    Args:
        target: the store.
        experiment: whose jobs.
        settings: the options.
    """

    def __init__(self, target: Target, experiment: str, settings: Mapping[str, Any]) -> None:
        if settings["capacity"] is None and settings["backend"] is None:
            raise click.UsageError(
                "Say what an allocation has, such as --capacity nodes=1,cpus=8,gpus=2, or with --backend which "
                "scheduler knows it."
            )
        self._target = target
        self._experiment = experiment
        self._settings = settings
        self._said: Capacity | None = None
        self._there: Capacity | None = None

    def read(self, under_way: Mapping[str, str], given_up: Mapping[str, str] = MappingProxyType({})) -> Reading:
        """Read what waits, and is neither under way nor given up; `given_up` has why, in words that follow "they"."""
        read = read_waiting(
            self._target.experiment(self._experiment),
            estimate=self._settings["estimate"],
            quantile=self._settings["quantile"],
            cpus_per_job=self._settings["cpus_per_job"],
            gpus_per_job=self._settings["gpus_per_job"],
            under_way=under_way,
        )
        lost = [(job.id, given_up[each]) for job in read.jobs for each in read.members[job.id] if each in given_up]
        if lost:
            read = without(read, lost, "wait for jobs that are given up")
        if self._settings["skip_misfits"]:
            read = without(read, misfits(read.jobs, self.capacity(read)))
        return read

    def pack(self, read: Reading, most: int | None = None) -> tuple[BatchSpec, ...]:
        """Pack what was read, as the options say it, or into at most so many batches."""
        return make_plan(
            read.jobs,
            capacity=self.capacity(read),
            layout=self._settings["layout"],
            count=_count(self._settings["count"]) if most is None else most,
            duration=self._settings["duration"] if most is None else None,
            nodes=self._settings["nodes"],
        )

    def capacity(self, read: Reading) -> Capacity:
        """Return what an allocation can have: as somebody says it, or the configuration, else as the scheduler does.

        Then it has no more nodes than the job that takes the most: small allocations begin sooner.
        """
        if self._said is None and self._there is None:
            self._ask()
        if self._said is not None:
            return self._said
        assert self._there is not None, "it was asked"
        nodes = max((job.nodes for job in read.jobs), default=1)
        return evolve(self._there, nodes=min(self._there.nodes, nodes))

    def _ask(self) -> None:
        if self._settings["capacity"] is not None:
            self._said = Capacity.parse(self._settings["capacity"])
            return
        backend = self._settings["backend"]
        said = site_settings_of(self._target, backend)
        if said.capacity is not None:
            self._said = Capacity.parse(said.capacity)
            return
        self._there = backend_of(backend).cluster(self._settings["partition"] or said.site.partition).capacity


def site_settings_of(target: Target, backend: str) -> SiteSettings:
    """Return what the configuration says of a backend."""
    config = target.config()
    return site_settings(config.tables, backend, str(config.source))


def tree_of(spec: BatchSpec, members: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a batch for JSON."""
    return {
        "id": spec.id,
        "jobs": [member for job in spec.jobs for member in members[job.id]],
        "nodes": spec.nodes,
        "estimated_runtime": spec.estimated_runtime,
        "timeout": spec.timeout,
        "dependencies": list(spec.dependencies),
    }


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
