-- Which jobs were given new budgets, for whoever counts what they have spent since.

create index events_retries on events (experiment, job) where verb = 'retry';
