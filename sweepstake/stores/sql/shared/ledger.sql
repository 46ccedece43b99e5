-- ledger_extent: how far there is to read.
select
    (select count(*) from experiments), coalesce((select max(seq) from jobs), 0),
    coalesce((select max(seq) from events), 0);

-- ledger_jobs: the bare facts of some jobs of all experiments with their attempts, in one snapshot.
-- The bounds of job_seq keep the planner from reading all attempts beyond the first.
select
    j.seq, e.name, j.id, j.status, j.etag, j.due, j.not_before, j.waiting, j.dependants, j.attempt, j.failures,
    j.losses, j.preemptions, e.etag, e.max_attempts, e.max_lost, e.max_preemptions, :now,
    (
        select count(*) from dependencies d join jobs o on o.seq = d.on_seq
        where d.job_seq = j.seq and o.status <> 'DONE'
    ),
    (select count(*) from dependencies d where d.on_seq = j.seq),
    j.task, j.spec_version, j.needs,
    (select t.needs from tasks t where t.experiment_id = j.experiment_id and t.version = j.spec_version and t.name = j.task),
    a.number, a.key, a.lease, a.started_at, a.ended_at, a.outcome, a.finish_key,
    case when a.late_results is null then 0 else 1 end, case when a.reason = :stated then 1 else 0 end
from (
    select
        seq, experiment_id, id, status, etag, due, not_before, waiting, dependants, attempt, failures, losses,
        preemptions, task, spec_version, needs
    from jobs where seq > :after order by seq limit :limit
) j
left join experiments e on e.id = j.experiment_id
left join attempts a on a.job_seq = j.seq and a.job_seq > :after
and a.job_seq <= (select max(seq) from (select seq from jobs where seq > :after order by seq limit :limit) p)
order by j.seq, a.number;

-- ledger_strays: attempts and dependencies within a range of jobs that belong to none.
select 'attempt', a.job_seq, a.number from attempts a
where a.job_seq > :after and a.job_seq <= :last and not exists (select 1 from jobs j where j.seq = a.job_seq)
union all
select 'dependency', d.job_seq, d.on_seq from dependencies d
where d.job_seq > :after and d.job_seq <= :last
and not exists (select 1 from jobs j where j.seq = d.job_seq and exists (select 1 from jobs o where o.seq = d.on_seq))
limit 1000;

-- ledger_strays_of_experiments: what belongs to an experiment, or to a batch of it, that is not there.
select 'spec', s.experiment_id, s.version, 'experiment' from specs s
where not exists (select 1 from experiments e where e.id = s.experiment_id)
union all
select 'task of spec', t.experiment_id, t.version, 'experiment' from tasks t
where not exists (select 1 from experiments e where e.id = t.experiment_id)
union all
select 'need', n.experiment_id, n.id, 'experiment' from needs n
where not exists (select 1 from experiments e where e.id = n.experiment_id)
union all
select 'batch', b.experiment_id, b.seq, 'experiment' from batches b
where not exists (select 1 from experiments e where e.id = b.experiment_id)
union all
select 'list of jobs', m.batch_seq, count(*), 'batch' from batch_jobs m
where not exists (select 1 from batches b where b.seq = m.batch_seq and b.experiment_id = m.experiment_id)
group by m.batch_seq
limit 1000;

-- ledger_specs: how much there is of what an experiment runs, and what of it refers to nothing.
select
    (select count(*) from specs where experiment_id = :experiment_id),
    (select coalesce(max(version), 0) from specs where experiment_id = :experiment_id),
    (
        select count(*) from tasks t where t.experiment_id = :experiment_id and not exists (
            select 1 from specs s where s.experiment_id = t.experiment_id and s.version = t.version
        )
    ),
    (
        select count(*) from tasks t where t.experiment_id = :experiment_id and not exists (
            select 1 from needs n where n.experiment_id = t.experiment_id and n.id = t.needs
        )
    ),
    (
        select count(*) from specs s where s.experiment_id = :experiment_id and s.snapshot is not null
        and not exists (select 1 from snapshots n where n.digest = s.snapshot)
    );

-- ledger_snapshots: snapshots of code, by digest, beyond one.
select digest, document from snapshots where digest > :after order by digest limit :limit;

-- ledger_gangs: the gangs of an experiment, by name, beyond one: what their jobs have in common, and which wait.
select
    j.gang, count(*), count(distinct j.rank), count(distinct j.task), count(distinct j.spec_version),
    sum(case when j.status = 'RUNNING' and j.together = 0 then 1 else 0 end),
    sum(case when j.status = 'QUEUED' then 1 else 0 end),
    min(case when j.status = 'RUNNING' and j.together = 0 then j.started_at end),
    max(case when j.status = 'RUNNING' and j.together = 0 then j.due - (:tick) end),
    min(case when j.status = 'RUNNING' and j.together = 0 then j.attempt end),
    min(e.lease), min(t.start_timeout), min(n.text), :now
from jobs j
join experiments e on e.id = j.experiment_id
left join tasks t on t.experiment_id = j.experiment_id and t.version = j.spec_version and t.name = j.task
left join needs n on n.id = j.needs
where j.experiment_id = :experiment_id and j.gang is not null and j.gang > :after
group by j.gang order by j.gang limit :limit;

-- ledger_batches: the batches of an experiment, by id, beyond one: how often each was submitted, and what is under way.
select
    b.id, count(*), max(b.number), sum(case when b.status <> 'ENDED' then 1 else 0 end),
    max(case when b.status <> 'ENDED' then b.number end),
    sum(case when (b.status = 'ENDED') <> (b.ended_at is not null) then 1 else 0 end),
    sum(case when b.status = 'BEGUN' and (b.begun_at is null or b.jobid is null) then 1 else 0 end)
from batches b where b.experiment_id = :experiment_id and b.id > :after
group by b.id order by b.id limit :limit;

-- ledger_shared_jobs: jobs of an experiment that are in several batches under way, and in how many.
select m.job, count(*) from batch_jobs m join batches b on b.seq = m.batch_seq
where m.experiment_id = :experiment_id and b.status <> 'ENDED'
group by m.job having count(*) > 1 order by m.job limit 1000;

-- ledger_events: events after one, oldest first.
select seq, at, verb, experiment, job, key, detail from events where seq > :after order by seq limit :limit;

-- ledger_experiments: experiments after one with their limits; how many jobs run, are in which state, and as it is kept.
select
    e.id, e.name, e.etag, e.max_jobs, e.max_running, e.created, coalesce(j.running, 0),
    coalesce(j.jobs, 0), coalesce(j.blocked, 0), coalesce(j.delayed, 0), coalesce(j.done, 0), coalesce(j.crashed, 0),
    coalesce(j.pruned, 0),
    coalesce(c.jobs, 0), coalesce(c.blocked, 0), coalesce(c.delayed, 0), coalesce(c.done, 0), coalesce(c.crashed, 0),
    coalesce(c.pruned, 0)
from (select * from experiments where id > :after order by id limit :limit) e
left join (
    select
        experiment_id, count(*) as jobs,
        sum(case when status = 'RUNNING' then 1 else 0 end) as running,
        sum(case when status = 'QUEUED' and waiting > 0 then 1 else 0 end) as blocked,
        sum(case when status = 'QUEUED' and waiting = 0 and due is not null then 1 else 0 end) as delayed,
        sum(case when status = 'DONE' then 1 else 0 end) as done,
        sum(case when status = 'CRASHED' then 1 else 0 end) as crashed,
        sum(case when status = 'PRUNED' then 1 else 0 end) as pruned
    from jobs
    where experiment_id > :after
    and experiment_id <= (select max(id) from (select id from experiments where id > :after order by id limit :limit) p)
    group by experiment_id
) j on j.experiment_id = e.id
left join (
    select
        experiment_id, sum(jobs) as jobs, sum(blocked) as blocked, sum(delayed) as delayed, sum(done) as done,
        sum(crashed) as crashed, sum(pruned) as pruned
    from counts where experiment_id > :after group by experiment_id
) c on c.experiment_id = e.id
order by e.id;

-- ledger_names: the experiments that there are.
select name from experiments;

-- forget_event: an old event goes.
delete from events where seq = :seq and at < :before;

-- ledger_retries: after how many attempts a job was given new budgets.
select detail from events where experiment = :experiment and job = :job and verb = 'retry' order by seq;
