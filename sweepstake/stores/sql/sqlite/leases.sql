-- overdue: jobs whose lease is over, first come first.
select j.seq, j.attempt, a.key, j.losses, e.max_lost, j.dependants, {job}
from experiments e
join jobs j indexed by jobs_running on j.experiment_id = e.id and j.status = 'RUNNING' and j.due <= :tick
join attempts a on a.job_seq = j.seq and a.number = j.attempt
where e.name = :name and a.lease <= :uptime
order by j.due limit 100;

-- end_delays: jobs that were queued for a time that has come.
update jobs set due = null where seq in (
    select j.seq from jobs j indexed by jobs_delayed
    where j.experiment_id = (select id from experiments where name = :name)
    and j.status = 'QUEUED' and j.due is not null and j.due <= :now
    order by j.due limit 100
);

-- beats: which of these attempts are open, and how the others ended.
select a.key, a.job_seq, case when a.ended_at is null then 1 else 0 end, a.outcome
from json_each(:keys) k cross join attempts a on a.key = k.value;

-- renew: the leases of these jobs begin anew.
update jobs set due = :tick + (
    select a.lease from attempts a where a.job_seq = jobs.seq and a.number = jobs.attempt
)
where seq in (select value from json_each(:seqs)) and due is not null;
