"""An application of its own for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.unit.server.asking import Server, asked


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application over a file that holds an experiment with a job, both named `e`."""
    with asked(tmp_path_factory.mktemp("asked")) as made:
        yield made
