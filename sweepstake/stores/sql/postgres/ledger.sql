-- ledger_writes: the events that have these op keys.
select seq, at, verb, experiment, job, key, detail from events
where key = any (array(select json_array_elements_text(cast(:keys as json))));
