"""What a process does with an attempt that it holds, from the claim to the report."""
