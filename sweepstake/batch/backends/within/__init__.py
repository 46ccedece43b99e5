"""An allocation that a person has already, seen from inside: what it has, and how workers are started on its nodes."""
