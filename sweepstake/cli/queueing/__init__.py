"""Commands that add jobs and change what is queued."""
