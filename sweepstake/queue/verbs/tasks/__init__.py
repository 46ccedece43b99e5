"""What jobs of tasks need, who has it, and how they end with each other."""
