"""Experiments and jobs for people to read: tables, text, HTML and data frames of their records."""
