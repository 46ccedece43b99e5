"""What a site asks for, as the configuration file says it."""

from typing import Any

import pytest

from sweepstake.batch.backends.submissions import Site
from sweepstake.batch.site import SiteSettings, site_settings, tasks_with_settings
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


TABLES = {
    "batch": {"slurm": {"partition": "main", "time": "90", "extra": ["--x"], "environment": {"A": "a", "B": "b"}}},
    "experiments": {
        "mnist": {
            "batch": {"slurm": {"partition": "gpu", "environment": {"B": "c"}}},
            "tasks": {
                "train": {"batch": {"slurm": {"time": "10", "extra": [], "container": "apptainer exec a.sif"}}},
                "eval": {"batch": {"pbs": {"time": "10"}}},
            },
        }
    },
}


def test_an_experiment_and_a_task_of_it_come_before_the_site() -> None:
    """Setting by setting; variables one by one."""
    site = site_settings(TABLES, "slurm", "c", "other", "train")
    assert (site.site.partition, site.time_limit, site.site.environment) == ("main", 5400.0, {"A": "a", "B": "b"})
    own = site_settings(TABLES, "slurm", "c", "mnist")
    assert (own.site.partition, own.time_limit, own.site.environment) == ("gpu", 5400.0, {"A": "a", "B": "c"})
    task = site_settings(TABLES, "slurm", "c", "mnist", "train")
    assert (task.site.partition, task.time_limit, task.site.extra) == ("gpu", 600.0, ())
    assert task.site.container == "apptainer exec a.sif"
    assert site_settings(TABLES, "slurm", "c", "mnist", "eval") == own
    assert tasks_with_settings(TABLES, "slurm", "c", "mnist") == {"train"}
    assert tasks_with_settings(TABLES, "slurm", "c", "other") == frozenset()


@pytest.mark.parametrize(
    "tables, where",
    [
        ({"experiments": 7}, "experiments must be a table"),
        (
            {"experiments": {"mnist": {"batch": {"slurm": {"qos": 7}}}}},
            r"experiments\.mnist\.batch\.slurm\.qos must be",
        ),
        ({"experiments": {"mnist": {"tasks": {"t": {"batch": 7}}}}}, r"experiments\.mnist\.tasks\.t\.batch must be"),
        ({"batch": {"slurm": {"container": "'a"}}}, r"batch\.slurm\.container: No closing quotation"),
    ],
)
def test_the_table_that_is_wrong_is_named(tables: Any, where: str) -> None:
    """And not one that comes before it or behind it."""
    with pytest.raises(ConfigurationError, match=rf"^config\.toml: {where}"):
        site_settings({**TABLES, **tables}, "slurm", "config.toml", "mnist", "t")
