"""The queue: its verbs as values, and who has them answered."""
