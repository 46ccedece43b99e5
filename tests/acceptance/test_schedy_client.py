"""The unmodified Schedy 0.1.0b6 client, installed from the package index, against a real server."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.old_client import NoOldClientError, OldClient, Site, install
from tests.kit.postgres import PostgresServer

pytestmark = pytest.mark.acceptance

#: What the driver can do by itself; it has one more scenario, in which the server restarts.
SCENARIOS = (
    "configuration",
    "bad_credentials",
    "experiments",
    "updates",
    "pages",
    "jobs",
    "guards",
    "blocks",
    "values",
    "names",
    "random_search",
    "population_based_training",
    "race",
)
SECONDS = 120


@pytest.fixture(scope="module")
def old_client(tmp_path_factory: pytest.TempPathFactory) -> OldClient:
    """The old client; when the package index is out of reach, skip on a laptop and fail in CI."""
    try:
        return install(tmp_path_factory.mktemp("old-client"))
    except NoOldClientError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server over each store."""
    folder = tmp_path_factory.mktemp(f"site-{request.param}")
    if request.param == "sqlite":
        store = f"sqlite:///{folder}/store.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        store = server.new_database()
    site = Site.open(store, folder)
    yield site
    site.server.stop()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_old_client_works(old_client: OldClient, site: Site, scenario: str) -> None:
    """Every public method of the old client does what its documentation says."""
    with old_client.scenario(scenario, site.config) as driver:
        output, errors = driver.communicate(timeout=SECONDS)
    assert (driver.returncode, output) == (0, "it holds\n"), errors


def test_the_old_client_survives_a_restart_of_the_server(old_client: OldClient, site: Site) -> None:
    """The login and the etag of a client that was running a job are good for the next server."""
    with old_client.scenario("restart", site.config) as driver:
        assert driver.stdout is not None
        first = driver.stdout.readline()
        assert first == "restart the server now\n", driver.communicate()[1]
        site.restart()
        output, errors = driver.communicate("done\n", timeout=SECONDS)
    assert (driver.returncode, output) == (0, "it holds\n"), errors


def test_gen_token_replaces_the_token(old_client: OldClient, site: Site, tmp_path: Path) -> None:
    """`schedy gen-token` saves a configuration whose token works; the one before does not any more."""
    fresh = tmp_path / "new" / "client.json"
    settings = site.settings()
    login = ["--root", settings["root"], "--email", settings["email"], "--password", settings["password"]]
    made = old_client.command(fresh, "gen-token", *login)
    assert made.returncode == 0, made.stderr
    saved = json.loads(fresh.read_text())
    assert set(saved) == {"root", "email", "token"}
    assert (saved["root"], saved["email"]) == (settings["root"], settings["email"])
    assert old_client.command(fresh, "list").returncode == 0
    assert "403" in old_client.command(site.config, "list").stderr
    site.config.write_text(json.dumps({**saved, "password": settings["password"]}))
    site.server = site.server.with_token(saved["token"])


def test_commands_print_what_ours_print(old_client: OldClient, site: Site) -> None:
    """`schedy` and `sweepstake` show the same of what `schedy` made, where a layout or fields are asked for."""
    run = old_client.command
    searched = ["add", "searched", "random", "rate", "loguniform", '{"low": 0.001, "high": 1}', "kind", "const", "7"]
    assert run(site.config, *searched).returncode == 0
    assert run(site.config, "add", "-s", "DONE", "made", "manual").returncode == 0
    assert "ResourceExistsError" in run(site.config, "add", "made", "manual").stderr
    pushed = [
        ["-p", "x", "1", "y", '"b"'],
        ["-p", "x", "3", "y", "[1, 2]", "-r", "loss", "0.25", "-s", "DONE"],
        ["-p", "x", "2", "-r", "loss", "0.5", "y", "null", "-s", "CRASHED"],
    ]
    for arguments in pushed:
        shown = run(site.config, "push", "made", *arguments)
        assert shown.returncode == 0, shown.stderr
    job = next(line for line in shown.stdout.splitlines() if line.startswith("id: ")).removeprefix("id: ")
    for view in (
        ["list", "-p"],
        ["list", "-t"],
        ["list", "made", "-f", "id", "-f", "status"],
        ["list", "made", "-p"],
        ["list", "made", "-t", "-s", "x"],
        ["list", "made", "-t", "-s", "x", "-d", "-f", "id", "-f", "x", "-f", "loss"],
    ):
        listed = run(site.config, *view)
        assert listed.returncode == 0, listed.stderr
        assert cells(site.ours(*view)) == cells(listed.stdout), view
    for view in (["show", "searched"], ["show", "made"], ["show", "made", job]):
        theirs = cells(run(site.config, *view).stdout)
        assert cells(site.ours(*view))[: len(theirs)] == theirs, f"{view} begins with the same, and tells more"


def test_rm_removes_after_asking(old_client: OldClient, site: Site) -> None:
    """`schedy rm` removes a job or an experiment once it is told to."""
    run = old_client.command
    assert run(site.config, "add", "short-lived", "manual").returncode == 0
    shown = run(site.config, "push", "short-lived", "-p", "x", "1").stdout
    job = shown.splitlines()[0].removeprefix("id: ")
    assert "was not removed" in run(site.config, "rm", "short-lived", job, text="n\n").stdout
    assert run(site.config, "rm", "short-lived", job, text="y\n").returncode == 0
    assert run(site.config, "list", "short-lived").stdout.strip() == ""
    assert run(site.config, "rm", "-f", "short-lived").returncode == 0
    assert run(site.config, "show", "short-lived").returncode != 0


def cells(output: str) -> list[list[str]]:
    """Return what stands in the columns of each line; how wide they are is each command's own."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(("+-", "|-"))]
    columns = [line.strip("|").split("|") if line.startswith("|") else line.split("  ") for line in lines]
    return [[cell.strip() for cell in line if cell.strip()] for line in columns]
