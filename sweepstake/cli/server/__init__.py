"""Commands for a server and its users."""
