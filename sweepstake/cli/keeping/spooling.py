"""`sweepstake spool`: reports that wait on this machine's disk until their store takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import click
from attrs import evolve, frozen

from sweepstake.cli.naming import Listed, find_id
from sweepstake.cli.output import as_json, format_option, print_rows, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.config import Config
from sweepstake.connection import open_sender
from sweepstake.errors import NotFoundError, SpoolError, StoreUnavailableError, SweepstakeError
from sweepstake.plaintext import counted, printable
from sweepstake.queue.queue import Queue
from sweepstake.spool import Delivery, Entry, Fate, Spool, address_of, deliver, every_spool
from sweepstake.view.grid import cut
from sweepstake.view.progress import watched
from sweepstake.view.times import local

__all__ = ["spool"]

#: Characters of an error that a table has room for.
_ROOM: Final = 60
#: From so many entries on, a progress bar is shown to whoever watches.
_MANY: Final = 20


def _waiting(target: Target) -> Iterator[str]:
    """Yield the keys of all entries, for the shell."""
    for each in every_spool(target.config().spool):
        yield from each.waiting()


_ENTRY: Final = Listed("entry", _waiting)


@click.group()
def spool() -> None:
    """See and deliver results that no store has taken yet.

    When a job ends while its store is away, what it reports is kept in the state folder, and delivered by the next
    call of any process on this machine that reaches the store. These commands are for whoever does not want to wait.
    """


@spool.command("list")
@wide_option
@format_option
@pass_target
def list_(target: Target, wide: bool, format_: str) -> None:
    """List what waits, for all stores, oldest first."""
    entries = [found.entry for found in _found(target.config())]
    if format_ == "json":
        as_json(entries)
    elif entries:
        print_rows([_row(entry) for entry in entries], wide=wide)
    else:
        click.echo("Nothing waits in the spool.")


@spool.command()
@click.argument("entry", type=_ENTRY)
@format_option
@pass_target
def show(target: Target, entry: str, format_: str) -> None:
    """Show one ENTRY with its results.

    `sweepstake spool list` names the entries.
    """
    config = target.config()
    found, entry = _meant(config, entry)
    read = found.read(entry)
    if format_ == "json":
        as_json(read)
        return
    for name, value in _description(read).items():
        if value:
            click.echo(f"{name}: {printable(value)}")
    click.echo(f"file: {printable(str(found.path(entry)))}")
    for line in read.report.reason.splitlines():
        click.echo(f"  {printable(line)}")


@spool.command()
@click.argument("entries", type=_ENTRY, nargs=-1, metavar="[ENTRY]...")
@format_option
@pass_target
def push(target: Target, entries: Sequence[str], format_: str) -> None:
    """Deliver what waits now, or these entries only.

    What was found to be undeliverable before is tried again. A server's token is sent to the server of --url or of
    the configuration only. The exit code is 1 if anything is left in the spool.
    """
    config = target.config()
    chosen = _chosen(config, entries)
    deliveries: list[Delivery] = []
    with watched("Delivering", sum(len(keys) for _, keys in chosen), least=_MANY) as advance:
        for found, keys in chosen:
            for delivery in _push(config, found, keys):
                deliveries.append(delivery)
                advance(1)
    if format_ == "json":
        as_json([_outcome(delivery) for delivery in deliveries])
    else:
        _tell(deliveries)
    if any(found.path(key).exists() for found, keys in chosen for key in keys):
        raise click.exceptions.Exit(1)


@spool.command()
@click.argument("entries", type=_ENTRY, nargs=-1, metavar="[ENTRY]...")
@click.option("--all", "all_", is_flag=True, help="All entries of all stores.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@pass_target
def drop(target: Target, entries: Sequence[str], all_: bool, force: bool) -> None:
    """Throw entries away, and with them the results that they hold."""
    if bool(entries) == all_:
        raise click.UsageError("Name the entries, or say --all.")
    chosen = _chosen(target.config(), entries)
    count = sum(len(keys) for _, keys in chosen)
    what = f"{counted(count, 'report')} that no store has taken"
    if not count:
        click.echo("Nothing waits in the spool.")
    elif not force and not click.confirm(f"Are you sure you want to throw away {what}?"):
        click.echo("Nothing was thrown away.")
    else:
        dropped = sum(found.drop(key) for found, keys in chosen for key in keys)
        click.echo(f"{dropped} thrown away.")


@frozen
class _Found:
    """An entry, and where it is."""

    spool: Spool
    entry: Entry


def _found(config: Config) -> Iterator[_Found]:
    """Yield every entry, oldest first; one that cannot be read is told of."""
    everything = [(key, each) for each in every_spool(config.spool) for key in each.waiting()]
    for key, each in sorted(everything, key=lambda pair: pair[0]):
        try:
            yield _Found(each, each.read(key))
        except SpoolError as error:
            click.echo(f"Warning: {printable(str(error))}", err=True)
        except NotFoundError:  # delivered meanwhile
            continue


def _meant(config: Config, text: str) -> tuple[Spool, str]:
    """Return the entry of this key, or of a part of it, and where it is."""
    spools = {key: each for each in every_spool(config.spool) for key in each.waiting()}
    key = find_id("entry", text, spools)
    if key not in spools:
        raise NotFoundError(f"there is no entry {key!r} in the spool; see `sweepstake spool list`")
    return spools[key], key


def _chosen(config: Config, keys: Sequence[str]) -> list[tuple[Spool, list[str]]]:
    """Return the entries of these keys by store; all of them without any."""
    if not keys:
        return [(each, waiting) for each in every_spool(config.spool) if (waiting := each.waiting())]
    meant = dict.fromkeys(_meant(config, key) for key in keys)
    return [(each, [key]) for each, key in meant]


def _push(config: Config, found: Spool, keys: list[str]) -> Iterator[Delivery]:
    """Deliver the entries of one store; a store that cannot be reached is told of, and the next has its turn."""
    if found.store != address_of(config.url):
        config = evolve(config, url=found.store, token=None)
    try:
        _check_file(found.store)
        queue = Queue(open_sender(config))
    except SweepstakeError as error:
        click.echo(f"Warning: {printable(f'{found.store}: {error}')}", err=True)
        return
    try:
        yield from deliver(found, queue, keys, hopeless=True)
    finally:
        queue.close()


def _check_file(store: str) -> None:
    """Refuse a file that is not there: to connect to it would make an empty one."""
    path = unquote(store.removeprefix("sqlite:///"))
    if store.startswith("sqlite:///") and not Path(path).exists():
        raise StoreUnavailableError("this file is not there any more")


def _identity(entry: Entry) -> dict[str, str]:
    return {"entry": entry.key, "store": entry.store, "experiment": entry.experiment, "job": entry.job}


def _row(entry: Entry) -> dict[str, Any]:
    error = " ".join(entry.last_error.split())
    return {
        **_identity(entry),
        "outcome": entry.report.outcome.value,
        "since": entry.written_at,
        "state": "waiting" if entry.undeliverable is None else "undeliverable",
        "last error": cut(error, _ROOM),
    }


def _description(entry: Entry) -> dict[str, str]:
    report = entry.report
    row = {name: str(value) for name, value in _row(entry).items()} | {"since": local(entry.written_at)}
    changed = report.hyperparameters or entry.hyperparameters
    return {
        **row,
        "last error": " ".join(entry.last_error.split()),
        "hyperparameters": changed.text,
        "results": report.results.text,
    }


def _outcome(delivery: Delivery) -> dict[str, Any]:
    entry = delivery.entry
    failed = delivery.fate in (Fate.WAITING, Fate.UNDELIVERABLE)
    return {
        **_identity(entry),
        "fate": delivery.fate.value,
        "ended": None if delivery.ended is None else delivery.ended.value,
        "error": entry.last_error if failed else None,
    }


def _tell(deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        entry = delivery.entry
        if delivery.fate is Fate.LATE:
            line = f"job {entry.job} of {entry.experiment}: the attempt was over ({delivery.ended}); kept as late"
            click.echo(printable(line))
        elif delivery.fate is not Fate.RECORDED:
            click.echo(printable(f"job {entry.job} of {entry.experiment}: {entry.last_error}"), err=True)
    fates = Counter(delivery.fate for delivery in deliveries)
    told = ", ".join(f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate])
    click.echo(told or "Nothing was delivered.")
