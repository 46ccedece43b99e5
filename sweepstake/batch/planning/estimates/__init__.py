"""How long jobs are expected to run."""
