"""Sweepstake: a job queue for hyperparameter sweeps."""
