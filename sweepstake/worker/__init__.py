"""Running a command for each job of an experiment."""
