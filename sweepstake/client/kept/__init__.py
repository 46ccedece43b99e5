"""What attempts leave beside their results: kept while they run, fetched and followed by whoever may look."""
