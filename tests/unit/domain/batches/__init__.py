"""Tests of the rules of batches."""
