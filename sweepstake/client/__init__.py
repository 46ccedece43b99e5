"""What a user holds: databases, experiments and jobs."""

from sweepstake.client.adding import JobIds, NewJob
from sweepstake.client.attempt.heartbeat import Heartbeat
from sweepstake.client.attempt.places import Places
from sweepstake.client.database import Database
from sweepstake.client.experiment import Experiment
from sweepstake.client.job import Job
from sweepstake.client.searches import GridSearch, ManualSearch, PopulationBasedTraining, RandomSearch
from sweepstake.client.session import LateSession, Session
from sweepstake.client.specs.current import CurrentJob, current_job

__all__ = [
    "CurrentJob",
    "Database",
    "Experiment",
    "GridSearch",
    "Heartbeat",
    "Job",
    "JobIds",
    "LateSession",
    "ManualSearch",
    "NewJob",
    "Places",
    "PopulationBasedTraining",
    "RandomSearch",
    "Session",
    "current_job",
]
