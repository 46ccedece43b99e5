"""What a worker may use of its machine, and which of its jobs has which part of that."""
