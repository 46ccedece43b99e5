"""Searches: pure policies that propose the hyperparameters of the next job."""

from __future__ import annotations

from sweepstake.search.distributions import Choice, Constant, Distribution, LogUniform, Normal, Uniform
from sweepstake.search.grid import Grid, GridPolicy
from sweepstake.search.kinds import SEARCH_SCHEMAS, SEARCHES, SearchKind, Takes, policy_for
from sweepstake.search.manual import ManualPolicy
from sweepstake.search.pbt import MAXIMIZE, MINIMIZE, PbtPolicy, Perturb, Truncate
from sweepstake.search.policy import NoProposal, Proposal, SearchPolicy
from sweepstake.search.random_search import RandomPolicy

__all__ = [
    "MAXIMIZE",
    "MINIMIZE",
    "SEARCHES",
    "SEARCH_SCHEMAS",
    "Choice",
    "Constant",
    "Distribution",
    "Grid",
    "GridPolicy",
    "LogUniform",
    "ManualPolicy",
    "NoProposal",
    "Normal",
    "PbtPolicy",
    "Perturb",
    "Proposal",
    "RandomPolicy",
    "SearchKind",
    "SearchPolicy",
    "Takes",
    "Truncate",
    "Uniform",
    "policy_for",
]
