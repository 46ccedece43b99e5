"""A SQLite file, and the queue of its writers."""
