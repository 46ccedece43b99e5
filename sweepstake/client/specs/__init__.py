"""Experiments with a spec: submitting it, waiting for its end, and what a script knows of its job."""
