"""What a site asks for, as the configuration file says it."""

from typing import Any

import pytest

from sweepstake.batch.backends.submissions import Site
from sweepstake.batch.site import SiteSettings, site_settings
from sweepstake.errors import ConfigurationError

__all__: list[str] = []


def test_a_backend_has_a_table_of_its_own() -> None:
    """With its limit as its scheduler reads it."""
    tables = {
        "batch": {
            "slurm": {
                "partition": "gpu",
                "account": "acc",
                "time": "90",
                "capacity": "cpus=8",
                "modules": ["cuda"],
                "environment": {"A": "b"},
                "extra": ["--exclusive"],
            },
            "pbs": {"time": "90"},
        }
    }
    found = site_settings(tables, "slurm", "config.toml")
    expected = Site(partition="gpu", account="acc", modules=("cuda",), environment={"A": "b"}, extra=("--exclusive",))
    assert found == SiteSettings(site=expected, time_limit=5400.0, capacity="cpus=8")
    assert site_settings(tables, "pbs", "config.toml").time_limit == 90.0
    assert site_settings(tables, "flux", "config.toml") == SiteSettings()
    assert site_settings({}, "slurm", "config.toml") == SiteSettings()


@pytest.mark.parametrize(
    "batch, where",
    [
        (7, "batch must be a table"),
        ({"slurm": []}, r"batch\.slurm must be a table"),
        ({"slurm": {"colour": "red"}}, r"batch\.slurm\.colour is no setting; there are account, capacity, "),
        ({"slurm": {"partition": 1}}, r"batch\.slurm\.partition must be text"),
        ({"slurm": {"modules": "cuda"}}, r"batch\.slurm\.modules must be a list of text"),
        ({"slurm": {"extra": ["a", 1]}}, r"batch\.slurm\.extra\[1\] must be text"),
        ({"slurm": {"environment": {"A": 1}}}, r"batch\.slurm\.environment\.A must be text"),
        ({"slurm": {"environment": {"A B": "1"}}}, r"batch\.slurm\.environment: 'A B' is no name of a variable"),
        ({"slurm": {"time": "soon"}}, r"batch\.slurm\.time: 'soon' is no time limit"),
    ],
)
def test_what_is_no_setting_is_named_by_its_path(batch: Any, where: str) -> None:
    """With the file that says it."""
    with pytest.raises(ConfigurationError, match=rf"^config\.toml: {where}"):
        site_settings({"batch": batch}, "slurm", "config.toml")
