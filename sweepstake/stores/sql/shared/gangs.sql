-- collecting: the first job to be claimed of the gang that has begun to collect its jobs, and the number of its needs.
select j.seq, j.needs
from jobs r join jobs j on j.experiment_id = r.experiment_id and j.gang = r.gang
where r.experiment_id = :experiment_id and r.status = 'RUNNING' and r.gang is not null
and j.experiment_id = :experiment_id and j.gang is not null and {ready}
order by j.priority desc, j.seq limit 1;

-- collectors: the gangs that run in part: since when, until when a queued job of them was not ready, and if they began.
select
    r.gang, min(r.started_at),
    (
        select max(coalesce(q.due, q.ended_at)) from jobs q
        where q.experiment_id = :experiment_id and q.gang is not null and q.gang = r.gang and q.status = 'QUEUED'
    ),
    min(r.spec_version), min(r.task), max(r.together)
from jobs r
where r.experiment_id = :experiment_id and r.status = 'RUNNING' and r.gang is not null
group by r.gang having max(r.together) = 0 or exists (
    select 1 from jobs q
    where q.experiment_id = :experiment_id and q.gang is not null and q.gang = r.gang and q.status = 'QUEUED'
);

-- gathering: the gangs of all experiments of which some jobs wait for the others.
-- What each of their jobs needs, and where they stand among each other.
select m.experiment_id, m.gang, n.text, max(m.priority), min(m.seq)
from jobs m join experiments e on e.id = m.experiment_id join needs n on n.id = m.needs
where m.gang is not null and m.status = 'RUNNING' and m.together = 0 and e.status = 'RUNNING'
group by m.experiment_id, m.gang, n.text;

-- members: the jobs of a gang, by rank.
select j.seq, j.id, j.rank, j.status, j.worker, j.together, j.attempt, j.failures, j.dependants
from jobs j where j.experiment_id = :experiment_id and j.gang is not null and j.gang = :gang order by j.rank, j.seq;

-- wait_for_gang: a job that was just claimed waits for the others of its gang.
update jobs set together = 0 where seq = :seq;

-- begin_together: the jobs of a gang are all there.
update jobs set together = 1 where experiment_id = :experiment_id and gang = :gang and status = 'RUNNING';

-- budget: how often a job of an experiment may fail, and for how long it waits then.
select max_attempts, retry_delay from experiments where id = :experiment_id;

-- rest: the jobs of a gang that are queued are ready later.
update jobs set not_before = :now + cast(:delay as float8), due = :now + cast(:delay as float8)
where experiment_id = :experiment_id and gang is not null and gang = :gang and status = 'QUEUED';
