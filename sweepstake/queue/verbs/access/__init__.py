"""Who may use a store through a server: users, their API tokens, shares, and tries at passwords."""
