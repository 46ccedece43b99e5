"""Schedulers of clusters: what they are told, and what they say of what became of it."""
