"""This machine as a scheduler: allocations are processes that nobody has to wait for."""
