"""Commands for a store and what waits beside it."""
