"""Where the sources stand that are tested."""

from pathlib import Path
from typing import Final

__all__ = ["ROOT"]

#: The folder that holds the package and its tests.
ROOT: Final = Path(__file__).parents[2]
