"""What workers leave behind that were killed, and what finds it."""
