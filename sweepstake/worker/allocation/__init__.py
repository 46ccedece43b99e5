"""The work of a worker in an allocation of a cluster: the jobs of one batch, up to the end of the allocation."""
