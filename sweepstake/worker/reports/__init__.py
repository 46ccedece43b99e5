"""Reports of how attempts ended, and what is claimed with them."""
