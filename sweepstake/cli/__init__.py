"""The `sweepstake` command."""

from sweepstake.cli.main import main

__all__ = ["main"]
