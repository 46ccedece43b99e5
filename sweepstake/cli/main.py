"""The command's front door: its verbs, and what becomes of errors."""

from __future__ import annotations

import codecs
import io
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import click

from sweepstake.cli.batch.group import batch
from sweepstake.cli.keeping.secrets import secret
from sweepstake.cli.keeping.spooling import spool
from sweepstake.cli.keeping.upkeep import db, verify
from sweepstake.cli.looking.kept import logs, results
from sweepstake.cli.looking.listing import best, list_
from sweepstake.cli.looking.showing import show, why
from sweepstake.cli.looking.waiting import wait
from sweepstake.cli.looking.workers import workers
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import say
from sweepstake.cli.queueing.adding import add
from sweepstake.cli.queueing.changing import pause, push, resume, rm
from sweepstake.cli.queueing.editing import edit
from sweepstake.cli.queueing.many import prune, retry
from sweepstake.cli.queueing.moving import export, import_
from sweepstake.cli.queueing.specs import spec
from sweepstake.cli.queueing.submitting import stop, submit
from sweepstake.cli.server.serving import serve
from sweepstake.cli.server.sharing import share
from sweepstake.cli.server.tokens import gen_token, token
from sweepstake.cli.server.users import user
from sweepstake.cli.target import Target, owner_option, target_options
from sweepstake.cli.working.demo import demo
from sweepstake.cli.working.running import run, worker
from sweepstake.errors import InvalidInputError, PlanError, SweepstakeError
from sweepstake.plaintext import printable, printable_lines

__all__ = ["app", "main", "run_app"]

#: Exit code of shells for a command that SIGINT ended.
_INTERRUPTED = 130


def _version() -> str:
    try:
        return version("sweepstake")
    except PackageNotFoundError:
        return "not installed"


_HELP: Final = ["-h", "--help"]


@click.group(
    context_settings={"help_option_names": _HELP},
    epilog="""\b
Completion in your shell (bash_source, zsh_source or fish_source):
  eval "$(_SWEEPSTAKE_COMPLETE=bash_source sweepstake)"
""",
)
@click.version_option(_version(), prog_name="sweepstake")
@click.pass_context
def app(context: click.Context) -> None:
    """Queue hyperparameter sweeps, run their jobs, and look at the results.

    The store is that of --url, of SWEEPSTAKE_URL, of the configuration file, or a file in your data folder.
    SWEEPSTAKE_TOKEN holds the API token for a server.
    """
    context.call_on_close(context.ensure_object(Target).close)


_VERBS: Final = (
    add,
    list_,
    best,
    show,
    push,
    edit,
    rm,
    run,
    worker,
    retry,
    prune,
    pause,
    resume,
    why,
    results,
    logs,
    workers,
    spool,
    export,
    import_,
    verify,
    db,
    gen_token,
    serve,
    user,
    token,
    share,
    demo,
    spec,
    submit,
    wait,
    stop,
    secret,
    batch,
)


def _with_subcommands(command: click.Command) -> Iterator[click.Command]:
    for below in getattr(command, "commands", {}).values():
        yield from _with_subcommands(below)
    yield command


def _complete(verb: click.Command) -> None:
    """Let a verb and those below it take -h, and the options that say which store and whose experiment is meant."""
    for command in _with_subcommands(verb):
        # click remembers the help option of whichever context asked for it first
        command.get_help_option(click.Context(command, help_option_names=_HELP))
        command.params.extend(target_options(shown=False))
    if any(parameter.type is EXPERIMENT for parameter in verb.params):
        verb.params.append(owner_option("--of" if verb is share else "--owner"))  # `share` has another --owner


app.params.extend(target_options(shown=True))
for _command in _VERBS:
    _complete(_command)
    app.add_command(_command)


def main() -> None:
    """Run the command that the process was started with, and exit.

    Arguments, files and what is printed are UTF-8. Where the locale says otherwise, Python is begun again so that it
    reads them as that.
    """
    logging.lastResort = _log_lines()
    if sys.executable and not sys.flags.utf8_mode and codecs.lookup(sys.getfilesystemencoding()).name != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 -- this very command
    sys.exit(run_app(sys.argv[1:]))


def _log_lines() -> logging.Handler:
    """Return what writes log lines to the terminal, with ids and names that cannot drive it."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_PlainLines())
    return handler


class _PlainLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text, safe to print."""
        return printable_lines(super().format(record))


def run_app(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code: 0, 1 for our own errors, 2 for wrong usage, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app.main(args=list(arguments), prog_name="sweepstake", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        say(told.getvalue().rstrip("\n"), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Aborted.", err=True)
        return _INTERRUPTED
    except SweepstakeError as error:
        click.echo(f"Error: {_line(error)}", err=True)
        return 1
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written
        click.echo(f"Error: {_line(error)}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _line(error: Exception) -> str:
    text = error.in_short if isinstance(error, PlanError) else str(error)
    if isinstance(error, InvalidInputError):
        text = "; ".join(f"{_as_typed(path)}: {problem}" if path else problem for path, problem in error.problems)
    return printable(" ".join(text.split("\n")))


def _as_typed(path: str) -> str:
    """Return the path of a field in the words of the command line: `--depends-on` for `depends_on[0]`."""
    head = re.match(r"[a-z]+_[a-z_]+|[a-z]+(?=\[\d+\]$)", path)
    return _OPTIONS.get(head[0], path) if head else path


_OPTIONS: Final = {
    parameter.name: parameter.opts[0]
    for command in _with_subcommands(app)
    for parameter in command.params
    if parameter.name and isinstance(parameter, click.Option)
} | {"job_id": "JOB"}
