-- ledger_writes: the events that have these op keys.
select seq, at, verb, experiment, job, key, detail from events
where key in (select value from json_each(:keys));
