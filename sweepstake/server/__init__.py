"""The queue over HTTP: what `sweepstake serve` runs."""

from sweepstake.server.app import create_app
from sweepstake.server.passwords import add_user
from sweepstake.server.run import ServeOptions, serve

__all__ = ["ServeOptions", "add_user", "create_app", "serve"]
