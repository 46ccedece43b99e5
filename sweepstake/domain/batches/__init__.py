"""Batches of queued jobs that were submitted to a cluster, as a store keeps them."""
