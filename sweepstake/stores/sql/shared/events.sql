-- record_event: the ledger's row of a rarer write, unless its op key was used before.
insert into events (at, verb, experiment, job, key, detail)
select :now, :verb, :experiment, :job, :key, :detail
where not exists (select 1 from attempts where key = cast(:key as text))
on conflict (key) do nothing;

-- event: what an op key was used for.
select verb, experiment, job, detail from events where key = :key;

-- kept_key: whether a store of before there were names has kept this very op key.
select 1 from events where key = :key union all select 1 from attempts where key = :key limit 1;

-- note_event: what else is to be remembered of a write.
update events set detail = :detail where key = :key;
