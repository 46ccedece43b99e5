"""`sweepstake share`: whose experiments are whose."""

from __future__ import annotations

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option, print_rows, say
from sweepstake.cli.server.reaching import is_served, operated, reached
from sweepstake.cli.target import Target, pass_target
from sweepstake.domain.access import Access, Role
from sweepstake.domain.names import check_name
from sweepstake.queue.calls import GetAccess, ShareExperiment, UnshareExperiment
from sweepstake.queue.verbs.access.shares import give
from sweepstake.wire.credentials import NewShare

__all__ = ["share"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("email", required=False)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.READ.value,
    show_default=True,
    help="What the user may do: read looks, work also claims, reports and adds jobs, admin does everything.",
)
@click.option("--revoke", is_flag=True, help="Share it with the user no more.")
@click.option("--owner", is_flag=True, help="Make it the user's own; on a store only.")
@format_option
@pass_target
def share(
    target: Target,
    experiment: str,
    email: str | None,
    role: str,
    revoke: bool,
    owner: bool,
    format_: str,
) -> None:
    """Share an experiment with the user EMAIL, and show whose it is.

    What you make through a server is yours alone until you share it. What was made on the store itself is everybody's.
    """
    if (revoke or owner) and (email is None or (revoke and owner)):
        raise click.UsageError("--revoke and --owner are about a user: give an EMAIL, and one of them.")
    name = target.reference(experiment)
    if owner:
        with operated(target) as store:
            access = give(store, name, email)
    else:
        if email is not None and is_served(target):
            check_name(email, "email")
        with reached(target) as sender:
            if email is not None and revoke:
                sender.send(UnshareExperiment(name=name, email=email))
            elif email is not None:
                sender.send(ShareExperiment(name=name, email=email, share=NewShare(Role(role))))
            access = sender.send(GetAccess(name=name))
    if format_ == "json":
        as_json(access)
    else:
        _print(access)


def _print(access: Access) -> None:
    if access.owner is None:
        say("It is everybody's.")
        return
    rows = [(access.owner, "owner"), *((each.email, str(each.role)) for each in access.shares)]
    print_rows([{"user": email, "role": role} for email, role in rows])
