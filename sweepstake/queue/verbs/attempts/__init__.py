"""What happens to an attempt, from the claim to its end."""
