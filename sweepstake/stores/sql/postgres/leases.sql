-- overdue: jobs whose lease is over, first come first; one that is being written now is passed over.
-- Nobody could renew a lease while the database was down, so it counts from its start.
select j.seq, j.attempt, a.key, j.losses, e.max_lost, j.dependants, {job}
from experiments e
join jobs j on j.experiment_id = e.id
join attempts a on a.job_seq = j.seq and a.number = j.attempt
where e.id = (select id from experiments where name = :name)
and j.experiment_id = (select id from experiments where name = :name)
and j.status = 'RUNNING' and j.due <= (select :tick)
and a.lease <= cast(:uptime as float8)
and a.lease <= date_part('epoch', clock_timestamp() - pg_postmaster_start_time())
order by j.due limit 100 for update of j skip locked;

-- end_delays: jobs that were queued for a time that has come.
update jobs set due = null where seq = any (array(
    select j.seq from jobs j
    where j.experiment_id = (select id from experiments where name = :name)
    and j.status = 'QUEUED' and j.due is not null and j.due <= (select :now)
    order by j.due limit 100 for update skip locked
));

-- beats: which of these attempts are open, and how the others ended.
select a.key, a.job_seq, case when a.ended_at is null then 1 else 0 end, a.outcome
from json_array_elements_text(cast(:keys as json)) k join attempts a on a.key = k;

-- renew: the leases of these jobs begin anew.
update jobs set due = :tick + (
    select a.lease from attempts a where a.job_seq = jobs.seq and a.number = jobs.attempt
)
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s))
and due is not null;
