-- {free}: an experiment in which any number of jobs may run at once.
select e.id, e.lease, e.timeout from experiments e
where e.name = :name and e.status = 'RUNNING' and e.max_running is null and {unused}

-- {limited}: one that is locked, because only so many may.
select e.id, e.lease, e.timeout from experiments e
where e.name = :name and e.status = 'RUNNING' and {unused} and {below_limit}

-- {first}: of its ready jobs the one of highest priority, then oldest, that nobody else is about to take.
order by j.priority desc, j.seq limit 1 for update skip locked

-- {taken}: the picked job runs, in an attempt of its own.
-- Another number in `counted` tells the trigger that nothing is left to count: a claim changes no count.
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

-- claim: the first ready job without a task, of an experiment that may run any number at once.
with experiment as materialized ({free}),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment) and j.needs = 0 and {ready}
    {first}
),
{taken}
select * from taken;

-- claim_limited: as claim, for an experiment that is locked.
with experiment as materialized ({limited}),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment) and j.needs = 0 and {ready}
    {first}
),
{taken}
select * from taken;

-- claim_of: as claim_limited, of these jobs only.
with experiment as materialized ({limited}),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment)
    and j.id = any (array(select json_array_elements_text(cast(:ids as json)))) and j.gang is null and {ready}
    {first}
),
{taken}
select * from taken;

-- claim_fitting: as claim_limited, of the jobs of these needs: of each needs the first by the index, then the best.
-- The member is a job of a gang that others wait for, which goes before those of its priority. None of less than the
-- least priority is picked.
with experiment as materialized ({limited}),
picked as (
    select p.seq from (
        select h.seq, h.priority
        from json_array_elements_text(cast(:fitting as json)) f
        cross join lateral (
            select j.seq, j.priority from jobs j
            where j.experiment_id = (select id from experiment) and j.needs = cast(f as integer) and {ready}
            {first}
        ) h
        union all
        select m.seq, m.priority from (
            select j.seq, j.priority from jobs j
            where j.seq = cast(:member as bigint) and j.experiment_id = (select id from experiment) and {ready}
            for update skip locked
        ) m
    ) p
    where cast(:least as bigint) is null or p.priority >= cast(:least as bigint)
    order by p.priority desc, p.seq <> coalesce(cast(:member as bigint), 0), p.seq limit 1
),
{taken}
select t.*, j.needs from taken t join jobs j on j.seq = t.seq;

-- first_ready: as claim_fitting, of an experiment by its number, without taking it.
select p.seq, p.id, p.priority, p.needs from (
    select h.seq, h.id, h.priority, h.needs
    from json_array_elements_text(cast(:fitting as json)) f
    cross join lateral (
        select j.seq, j.id, j.priority, j.needs from jobs j
        where j.experiment_id = :experiment_id and j.needs = cast(f as integer) and {ready}
        order by j.priority desc, j.seq limit 1
    ) h
    union all
    select j.seq, j.id, j.priority, j.needs from jobs j where j.seq = cast(:member as bigint) and {ready}
) p
where exists (select 1 from experiments e where e.id = :experiment_id and e.status = 'RUNNING' and {below_limit})
order by p.priority desc, p.seq <> coalesce(cast(:member as bigint), 0), p.seq limit 1;

-- ready_of: which of these jobs can be claimed, in the order in which they are named, each looked up by itself.
select j.seq, j.needs, j.gang
from json_array_elements_text(cast(:ids as json)) with ordinality w (id, place)
cross join lateral (
    select seq, needs, gang, status, waiting, due from jobs where experiment_id = :experiment_id and id = w.id limit 1
) j
where {ready}
order by w.place;

-- {finishing}: the open attempt's results become the job's, unless others wait for it.
-- Only seq shall be looked up by an index: a plan made while the store was empty could else keep a worse one.
update jobs j set
    status = :status, results = :results, etag = :report, due = null, ended_at = :now, counted = 1 - j.counted
from attempts a
where a.key = :attempt and j.seq = a.job_seq and j.attempt = a.number
and coalesce(j.id, '') = :id and coalesce(j.status, '') = 'RUNNING' and j.dependants = 0

-- {ended}: the job that is finished is counted, and its attempt has ended.
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

-- finish: end an attempt in the plain case.
with finished as (
    {finishing}
    and j.experiment_id + 0 = (select id from experiments where name = :name)
    returning
        {job}, j.experiment_id
),
{ended}
select * from finished;

-- finish_and_claim: as finish in an experiment that may run any number at once, and if that was done, as claim.
with finished as (
    {finishing}
    and j.experiment_id + 0 = (select id from experiments where name = :name and max_running is null)
    returning
        {job}, j.experiment_id
),
{ended},
experiment as materialized ({free}),
picked as (
    select j.seq from jobs j
    where j.experiment_id = (select id from experiment) and j.needs = 0 and {ready} and exists (select 1 from finished)
    {first}
),
{taken}
select * from finished left join taken on true;
