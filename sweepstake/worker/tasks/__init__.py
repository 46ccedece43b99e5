"""What is run for a job that carries a task of a spec."""
