"""Clusters that are broken while a sweep runs there."""
