"""Options that had another name before."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import click

__all__ = ["Renamed"]


class Renamed(click.Option):
    """An option whose first name is the one that help tells of; the others are understood as before."""

    def __init__(self, param_decls: Sequence[str], **attributes: Any) -> None:
        super().__init__(param_decls, **attributes)
        self._shown = copy(self)
        self._shown.opts = self.opts[:1]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return what help says, under the first name alone."""
        return click.Option.get_help_record(self._shown, ctx)
