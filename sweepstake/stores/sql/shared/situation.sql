-- situation: a job, what it has spent of its budgets, for how long its lease is over, and the number of its needs.
select
    {job},
    j.failures, j.losses, j.preemptions, case when j.status = 'RUNNING' then :tick - j.due end, j.needs
from jobs j where j.experiment_id = :experiment_id and j.id = :id;

-- attempt: one attempt of a job.
select number, key, worker, lease, started_at, ended_at, outcome, reason, late_results, output
from attempts where job_seq = :seq and number = :number;

-- blockers: some of the jobs that a job waits for.
select o.id, o.status, d.prunes from dependencies d join jobs o on o.seq = d.on_seq
where d.job_seq = :seq and o.status <> 'DONE' order by d.on_seq limit :most;

-- live_workers: who runs jobs of an experiment and sends heartbeats; looks at some of the running jobs.
select distinct coalesce(worker, '') from (
    select worker from jobs where experiment_id = :experiment_id and status = 'RUNNING' and due > :tick limit :most
) as live order by 1;

-- ahead: how many ready jobs of the same needs are claimed before one of this priority and age, up to :most of each kind.
select (
    select count(*) from (
        select 1 from jobs
        where experiment_id = :experiment_id and needs = :needs and status = 'QUEUED' and waiting = 0 and due is null
        and priority > :priority limit :most
    ) as higher
) + (
    select count(*) from (
        select 1 from jobs
        where experiment_id = :experiment_id and needs = :needs and status = 'QUEUED' and waiting = 0 and due is null
        and priority = :priority and seq < :seq limit :most
    ) as older
);
