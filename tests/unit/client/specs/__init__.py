"""Tests of experiments with a spec."""
