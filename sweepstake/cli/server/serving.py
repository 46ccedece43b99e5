"""`sweepstake serve`: a store for many machines."""

from __future__ import annotations

import click

from sweepstake.cli.output import say
from sweepstake.cli.server.reaching import server_packages
from sweepstake.cli.target import Target, pass_target

__all__ = ["serve"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that answer.")
@click.option("--root-path", default="", help="The path below which a proxy shows the server.")
@click.option("--no-auth", is_flag=True, help="Let everybody in who is on this machine; only with a loopback address.")
@click.option(
    "--files",
    metavar="DIR",
    help="Where files of attempts are kept: a folder, or a URL for fsspec; by default beside the file of the store.",
)
@pass_target
def serve(target: Target, host: str, port: int, workers: int, root_path: str, no_auth: bool, files: str | None) -> None:
    """Serve a store over HTTP.

    If there is no user yet, one is made, and its API token printed once.
    """
    with server_packages():
        from sweepstake.server.keys import SecretPlace
        from sweepstake.server.run import ServeOptions
        from sweepstake.server.run import serve as run_server
    config = target.config()
    url = config.url
    if url.startswith(("http://", "https://")):
        raise click.UsageError(
            "A server serves a store, not another server: give --url sqlite:///PATH or postgresql://..."
        )
    options = ServeOptions(
        store=url,
        host=host,
        port=port,
        workers=workers,
        root_path=root_path,
        auth=not no_auth,
        files=files or config.files,
        secret=None if no_auth else SecretPlace.of(url, config),
    )
    run_server(options, say)
