"""Plans of batches beside those of Canary."""
