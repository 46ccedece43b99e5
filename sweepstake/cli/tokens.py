"""`sweepstake gen-token`: from a password to a configuration file."""

from __future__ import annotations

import click

from sweepstake.cli.target import Target, pass_target
from sweepstake.config import default_path, write_config
from sweepstake.errors import ConfigurationError

__all__ = ["gen_token"]


@click.command("gen-token")
@click.option("--root", required=True, metavar="URL", help="The server, such as https://sweeps.example.org/")
@click.option("--email", prompt="Email", help="Your email (asked for if not given).")
@click.option("--password", prompt="Password", hide_input=True, help="Your password (asked for if not given).")
@pass_target
def gen_token(target: Target, root: str, email: str, password: str) -> None:
    """Generate a new API token and save it in the configuration file.

    The new token replaces all that the user had.
    """
    from sweepstake.remote import reset_token

    path = target.config_path or default_path()
    token = reset_token(root, email, password)
    try:
        write_config(root, token, path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}); give another --config") from None
    click.echo(f"Your token has been saved to {path}.")
