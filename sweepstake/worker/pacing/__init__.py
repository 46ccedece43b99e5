"""When a worker begins another job, and when it has had enough."""
