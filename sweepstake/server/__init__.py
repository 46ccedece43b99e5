"""The queue over HTTP: what `sweepstake serve` runs."""

from sweepstake.server.accounts import add_user, replace_token
from sweepstake.server.app import create_app
from sweepstake.server.run import ServeOptions, serve

__all__ = ["ServeOptions", "add_user", "create_app", "replace_token", "serve"]
