"""Jobs as a pandas data frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sweepstake.domain.records import JobRecord
from sweepstake.domain.vocabulary import TIMES
from sweepstake.errors import MissingExtraError
from sweepstake.view.table import job_table

if TYPE_CHECKING:  # only those who ask for a frame wait for it
    import pandas as pd

__all__ = ["jobs_frame"]


def jobs_frame(records: Iterable[JobRecord]) -> pd.DataFrame:
    """Return a row for each job, by id: status, hyperparameters, results, and what the queue knows of it.

    A hyperparameter and a result of one name become `hyperparameter.NAME` and `result.NAME`. Times are in UTC.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError.of(f"to_frame() needs pandas ({error})", "frame") from None
    table = job_table(records)
    frame = pd.DataFrame(list(table.rows), columns=list(table.labels()))
    if not table.columns:
        return pd.DataFrame(columns=["status"], index=pd.Index([], name="id"))
    names = {column.full_name: label for column, label in zip(table.columns, table.labels(), strict=True)}
    for name in TIMES:
        label = names[f"queueing.{name}"]
        frame[label] = pd.to_datetime(frame[label], unit="s", utc=True)
    frame = frame.set_index(names["sweepstake.id"])
    frame.index.name = "id"
    return frame
