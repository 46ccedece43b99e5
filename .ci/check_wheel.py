"""Check an installed Sweepstake: its files, its few dependencies, and the main job on the embedded store."""

import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path

import sweepstake

MOST_PACKAGES = 16


def check_files(tree: Path) -> None:
    """Fail unless every SQL file of the source tree, and the mark of a typed package, were installed."""
    installed = Path(str(resources.files(sweepstake)))
    wanted = [path.relative_to(tree / "sweepstake") for path in tree.glob("sweepstake/**/*.sql")]
    missing = [path for path in [*wanted, Path("py.typed")] if not (installed / path).is_file()]
    if missing or not wanted or installed.is_relative_to(tree):
        sys.exit(f"{installed} lacks {missing}; {len(wanted)} SQL files are in the source tree")
    print(f"{len(wanted)} SQL files and py.typed are installed")


def check_packages() -> None:
    """Fail if the base install brings more packages than training images should carry."""
    names = {dist.name for dist in metadata.distributions()} - {"pip", "setuptools", "wheel"}
    if len(names) > MOST_PACKAGES:
        sys.exit(f"The base install has {len(names)} packages: {sorted(names)}")
    print(f"The base install has {len(names)} packages")


def run_main_job(folder: str) -> None:
    """Queue, claim, finish and read back one job."""
    database = sweepstake.connect(f"sqlite:///{folder}/store.db")
    experiment = sweepstake.ManualSearch("wheel")
    database.add_experiment(experiment)
    experiment.add_job(hyperparameters={"rate": 0.1})
    with experiment.next_job() as job:
        job.results["accuracy"] = 1 - job.hyperparameters["rate"]
    (done,) = database.get_experiment("wheel").all_jobs()
    if (done.status, done.results) != (sweepstake.Job.DONE, {"accuracy": 0.9}):
        sys.exit(f"The job was not recorded: {done}")
    print("The main job ran")


if __name__ == "__main__":
    check_files(Path(sys.argv[1]))
    check_packages()
    with tempfile.TemporaryDirectory() as temporary:
        run_main_job(temporary)
