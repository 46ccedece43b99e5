-- claim: the ready job of highest priority, then oldest, of an experiment that may run any number at once.
-- Here and below, another number in `counted` tells the trigger that nothing is left to count: a claim changes no count.
with experiment as materialized (
    select e.id, e.lease, e.timeout from experiments e
    where e.name = :name and e.status = 'RUNNING'
    and e.max_running is null and not exists (select 1 from events where key = :key)
),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment)
    and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
    order by j.priority desc, j.seq limit 1 for update skip locked
),
taken as (
    update jobs j set
        status = 'RUNNING', etag = :key, attempt = j.attempt + 1, due = :tick + e.lease, worker = :worker,
        started_at = :now, ended_at = null, counted = 1 - j.counted
    from picked p, experiment e
    where j.seq = p.seq
    returning
        {job}, e.lease, e.timeout
),
begun as (
    insert into attempts (job_seq, number, key, worker, lease, started_at)
    select seq, attempt, etag, worker, lease, started_at from taken
)
select * from taken;

-- claim_limited: as claim, for an experiment that is locked, because it may run only so many at once.
with experiment as materialized (
    select e.id, e.lease, e.timeout from experiments e
    where e.name = :name and e.status = 'RUNNING'
    and not exists (select 1 from events where key = :key)
    and (
        e.max_running is null
        or (select count(*) from jobs r where r.experiment_id = e.id and r.status = 'RUNNING') < e.max_running
    )
),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment)
    and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
    order by j.priority desc, j.seq limit 1 for update skip locked
),
taken as (
    update jobs j set
        status = 'RUNNING', etag = :key, attempt = j.attempt + 1, due = :tick + e.lease, worker = :worker,
        started_at = :now, ended_at = null, counted = 1 - j.counted
    from picked p, experiment e
    where j.seq = p.seq
    returning
        {job}, e.lease, e.timeout
),
begun as (
    insert into attempts (job_seq, number, key, worker, lease, started_at)
    select seq, attempt, etag, worker, lease, started_at from taken
)
select * from taken;

-- claim_of: as claim_limited, of these jobs only.
with experiment as materialized (
    select e.id, e.lease, e.timeout from experiments e
    where e.name = :name and e.status = 'RUNNING'
    and not exists (select 1 from events where key = :key)
    and (
        e.max_running is null
        or (select count(*) from jobs r where r.experiment_id = e.id and r.status = 'RUNNING') < e.max_running
    )
),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment)
    and j.id = any (array(select json_array_elements_text(cast(:ids as json))))
    and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
    order by j.priority desc, j.seq limit 1 for update skip locked
),
taken as (
    update jobs j set
        status = 'RUNNING', etag = :key, attempt = j.attempt + 1, due = :tick + e.lease, worker = :worker,
        started_at = :now, ended_at = null, counted = 1 - j.counted
    from picked p, experiment e
    where j.seq = p.seq
    returning
        {job}, e.lease, e.timeout
),
begun as (
    insert into attempts (job_seq, number, key, worker, lease, started_at)
    select seq, attempt, etag, worker, lease, started_at from taken
)
select * from taken;

-- finish: the open attempt's results become the job's, unless others wait for it.
-- Only seq shall be looked up by an index: a plan made while the store was empty could else keep a worse one.
with finished as (
    update jobs j set
        status = :status, results = :results, hyperparameters = coalesce(:hyperparameters, j.hyperparameters),
        etag = :key, due = null, ended_at = :now, counted = 1 - j.counted
    from attempts a
    where a.key = :attempt and j.seq = a.job_seq and j.attempt = a.number
    and j.experiment_id + 0 = (select id from experiments where name = :name)
    and coalesce(j.id, '') = :id and coalesce(j.status, '') = 'RUNNING' and j.dependants = 0
    returning
        {job}, j.experiment_id
),
counted as (
    insert into counts as c (experiment_id, slot, jobs, blocked, delayed, done, crashed, pruned, ended_at)
    select
        experiment_id, pg_backend_pid(), 0, 0, 0, cast(status = 'DONE' as integer),
        cast(status = 'CRASHED' as integer), cast(status = 'PRUNED' as integer), ended_at
    from finished
    on conflict (experiment_id, slot) do update set
        done = c.done + excluded.done, crashed = c.crashed + excluded.crashed, pruned = c.pruned + excluded.pruned,
        ended_at = greatest(c.ended_at, excluded.ended_at)
),
ended as (
    update attempts a set ended_at = f.ended_at, outcome = :outcome, reason = :reason, output = :output, finish_key = f.etag
    from finished f where a.key = :attempt
)
select * from finished;

-- finish_and_claim: as finish in an experiment that may run any number at once, and if that was done, as claim.
with finished as (
    update jobs j set
        status = :status, results = :results, hyperparameters = coalesce(:hyperparameters, j.hyperparameters),
        etag = :key, due = null, ended_at = :now, counted = 1 - j.counted
    from attempts a
    where a.key = :attempt and j.seq = a.job_seq and j.attempt = a.number
    and j.experiment_id + 0 = (select id from experiments where name = :name and max_running is null)
    and coalesce(j.id, '') = :id and coalesce(j.status, '') = 'RUNNING' and j.dependants = 0
    returning
        {job}, j.experiment_id
),
counted as (
    insert into counts as c (experiment_id, slot, jobs, blocked, delayed, done, crashed, pruned, ended_at)
    select
        experiment_id, pg_backend_pid(), 0, 0, 0, cast(status = 'DONE' as integer),
        cast(status = 'CRASHED' as integer), cast(status = 'PRUNED' as integer), ended_at
    from finished
    on conflict (experiment_id, slot) do update set
        done = c.done + excluded.done, crashed = c.crashed + excluded.crashed, pruned = c.pruned + excluded.pruned,
        ended_at = greatest(c.ended_at, excluded.ended_at)
),
ended as (
    update attempts a set ended_at = f.ended_at, outcome = :outcome, reason = :reason, output = :output, finish_key = f.etag
    from finished f where a.key = :attempt
),
experiment as materialized (
    select e.id, e.lease, e.timeout from experiments e
    where e.name = :name and e.status = 'RUNNING'
    and e.max_running is null and not exists (select 1 from events where key = :claim)
),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment)
    and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
    and exists (select 1 from finished)
    order by j.priority desc, j.seq limit 1 for update skip locked
),
taken as (
    update jobs j set
        status = 'RUNNING', etag = :claim, attempt = j.attempt + 1, due = :tick + e.lease, worker = :worker,
        started_at = :now, ended_at = null, counted = 1 - j.counted
    from picked p, experiment e
    where j.seq = p.seq
    returning
        {job}, e.lease, e.timeout
),
begun as (
    insert into attempts (job_seq, number, key, worker, lease, started_at)
    select seq, attempt, etag, worker, lease, started_at from taken
)
select * from finished left join taken on true;
