"""`sweepstake token` and `sweepstake gen-token`: API tokens come and go."""

from __future__ import annotations

from collections.abc import Sequence

import click
from attrs import evolve

from sweepstake.cli.moments import span
from sweepstake.cli.naming import Listed, find_id
from sweepstake.cli.output import as_json, format_option, print_rows, say, wide_option
from sweepstake.cli.server.passwords import ask_password, password_stdin, read_password
from sweepstake.cli.server.reaching import is_served, operated, reached, server_packages
from sweepstake.cli.target import Target, pass_target
from sweepstake.config import default_path, write_config
from sweepstake.domain.access import NOBODY, Role
from sweepstake.errors import ConfigurationError
from sweepstake.plaintext import printable
from sweepstake.queue.calls import CreateToken, ListTokens, RevokeToken
from sweepstake.wire.credentials import MAX_LIFETIME, MadeToken, NewToken, TokenInfo

__all__ = ["gen_token", "token"]


@click.group()
def token() -> None:
    """Make, list and revoke API tokens.

    Through a server these are your own, on its store anybody's.
    """


def _lifetime(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    seconds = None if text is None else span(text)
    if text is not None and (seconds is None or not 1 <= seconds <= MAX_LIFETIME):
        raise click.BadParameter("a span is a number and its unit, such as 90m, 12h or 30d; from 1s to 11574d")
    return seconds


@token.command("create")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.WORK.value,
    show_default=True,
    help="What it allows: read looks, work also claims, reports and adds jobs, admin does everything.",
)
@click.option("--expires", "lifetime", callback=_lifetime, metavar="SPAN", help="When it ends: 90m, 12h, 30d ...")
@click.option("--name", default="", help="What you call it, such as the machine that shall have it.")
@click.option("--email", metavar="EMAIL", help="Whose it is; on a store only.")
@pass_target
def create(target: Target, role: str, lifetime: float | None, name: str, email: str | None) -> None:
    """Make an API token, and print it as the last line.

    It is kept only as a digest: this is the one time it is shown.
    """
    wanted = NewToken(role=Role(role), name=name, lifetime=lifetime)
    made = _create(target, wanted, email)
    say(f"Made the token {made.id}, which is shown only now:", err=True)
    say(made.token)


def _create(target: Target, wanted: NewToken, email: str | None) -> MadeToken:
    if is_served(target) and email is not None:
        raise click.UsageError("Through a server you make tokens for yourself: leave out --email.")
    if not is_served(target) and email is None:
        raise click.UsageError("On a store, say whose token it is: --email EMAIL.")
    with reached(target) as sender:
        return sender.send(CreateToken(wanted=wanted, caller=evolve(NOBODY, email=email)))


@token.command("list")
@click.option("--email", metavar="EMAIL", help="Only the tokens of this user; on a store only.")
@wide_option
@format_option
@pass_target
def list_(target: Target, email: str | None, wide: bool, format_: str) -> None:
    """List your API tokens, or on a store everybody's."""
    found = _listed(target, email)
    if format_ == "json":
        as_json(found)
    elif found:
        print_rows([_row(each) for each in found], wide=wide)
    else:
        say("There are no tokens.")


def _listed(target: Target, email: str | None) -> list[TokenInfo]:
    with reached(target) as sender:
        return [each for each in sender.send(ListTokens()) if email in (None, each.email)]


def _row(info: TokenInfo) -> dict[str, object]:
    return {
        "id": info.id,
        "user": info.email,
        "name": info.name,
        "role": str(info.role),
        "made with": info.made_with,
        "made": info.created_at,
        "ends": "never" if info.expires_at is None else info.expires_at,
    }


@token.command("revoke")
@click.argument(
    "token_id", type=Listed("token", lambda target: [each.id for each in _listed(target, None)]), metavar="ID"
)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@pass_target
def revoke(target: Target, token_id: str, force: bool) -> None:
    """Revoke the API token with this ID.

    All that were made with it end, too; `sweepstake token list` shows the ids, and which was made with which. A server
    that runs refuses them within seconds.
    """
    found = _listed(target, None)
    token_id = find_id("token", token_id, (each.id for each in found))
    what = " and ".join([token_id, *_made_with(found, token_id)])
    if not force and not click.confirm(f"Are you sure you want to revoke {printable(what)}?"):
        say(f"{token_id} was not revoked.")
        return
    with reached(target) as sender:
        sender.send(RevokeToken(id=token_id))
    say(f"Revoked {what}.")


def _made_with(tokens: Sequence[TokenInfo], token_id: str) -> list[str]:
    """Return the ids of the tokens that end with one."""
    found = [each.id for each in tokens if each.made_with == token_id]
    return [each for child in found for each in (child, *_made_with(tokens, child))]


@token.command("rotate-keys")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@pass_target
def rotate_keys(target: Target, force: bool) -> None:
    """Change the signing key: all signed tokens end.

    Those are the ones that clients of Schedy get for a password or an API token; they have to log in again. API tokens
    stay. Servers that run sign with the new key within seconds. This is done on the store, on the server's machine.
    """
    with server_packages():
        from sweepstake.server.keys import SecretPlace, rotate
    if not force and not click.confirm("Are you sure you want to log out all clients of Schedy?"):
        say("Nothing was changed.")
        return
    with operated(target) as store:
        config = target.config()
        place = SecretPlace.of(config.url, config)
        replaced = rotate(store, place)
    if replaced:
        say(f"All signed tokens have ended. The new key is in {place.path}.")
    else:
        say("All signed tokens have ended. If the secret in SWEEPSTAKE_SIGNING_KEY became known, set another one.")


@click.command("gen-token")
@click.option("--root", required=True, metavar="URL", help="The server, such as https://sweeps.example.org/")
@click.option("--email", prompt="Email", help="Your email (asked for if not given).")
@click.option("--password", "spelled_out", hidden=True, help="Refused: it could be read by others.")
@password_stdin
@pass_target
def gen_token(target: Target, root: str, email: str, spelled_out: str | None, password_stdin: bool) -> None:
    """Generate a new API token and save it in the configuration file.

    The new token replaces all that the user had. The password is asked for.
    """
    if spelled_out is not None:
        raise click.UsageError(
            "A password on the command line can be read by everybody on this machine, and stays in the shell's "
            "history: leave --password out to be asked for it, or give it on standard input with --password-stdin."
        )
    password = read_password() if password_stdin else ask_password(confirm=False)
    from sweepstake.http import reset_token

    path = target.config_path or default_path()
    made = reset_token(root, email, password)
    try:
        write_config(root, made, path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}); give another --config") from None
    say(f"Your token has been saved to {path}.")
