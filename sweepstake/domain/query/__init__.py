"""Conditions on jobs, and their order."""
