"""What tasks of a spec need, and the rules of those that begin together."""
