"""The queue's words as data: records, statuses, settings and the rules between them. Pure."""
