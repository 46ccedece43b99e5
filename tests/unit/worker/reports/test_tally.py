"""What people are told of the ends of attempts."""

import sweepstake
from sweepstake import ManualSearch
from sweepstake.worker.reports.tally import Tally


class _Leaving(ManualSearch):
    """An experiment that another thread leaves out while its owner is read."""

    experiments: dict[str, ManualSearch]

    @property
    def owner(self) -> str | None:
        self.experiments.pop("gone", None)
        return super().owner


def test_an_experiment_may_be_left_out_while_others_are_named(db: sweepstake.Database) -> None:
    """As the thread that claims does with one that is gone, while another looks for new ones."""
    leaving = db.add_experiment(_Leaving("leaving"))
    leaving.experiments = {"leaving": leaving, "gone": db.add_experiment(ManualSearch("gone"))}
    Tally(print).name(leaving.experiments.values())
    assert leaving.experiments.keys() == {"leaving"}
