"""Opening a store."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.stores import open_store

#: Opens a PostgreSQL store in a Python that has no driver.
WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from sweepstake.errors import MissingExtraError
from sweepstake.stores import open_engine
try:
    open_engine("postgresql://host/base")
except MissingExtraError as error:
    print(error)
"""


def test_a_missing_driver_is_named_with_its_command() -> None:
    """Without psycopg, a postgresql:// URL says what to install."""
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install '.[postgres]'" in answer.stdout


def test_a_relative_url_is_below_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes name a file from where the process stands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    open_store("sqlite:///below/store.db").close()
    assert (tmp_path / "below" / "store.db").exists()
