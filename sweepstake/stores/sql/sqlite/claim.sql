-- {first}: the job of highest priority, then oldest, of those of a running experiment that can be claimed.
where e.name = :name and e.status = 'RUNNING' and {ready} and {unused} and {below_limit}
order by j.priority desc, j.seq limit 1

-- pick: the first ready job without a task; none under an op key that a rarer write used.
select
    {job}, e.lease, e.timeout
from experiments e join jobs j indexed by jobs_ready on j.experiment_id = e.id and j.needs = 0
{first};

-- pick_of: as pick, of these jobs only.
select
    {job}, e.lease, e.timeout
from experiments e
join jobs j indexed by jobs_id on j.experiment_id = e.id and j.id in (select value from json_each(:ids))
and j.gang is null
{first};

-- pick_fitting: as pick, of the jobs of these needs: of each needs the first by the index, then the best of those.
-- The member is a job of a gang that others wait for, which goes before those of its priority. None of less than the
-- least priority is picked.
with experiment as materialized (
    select e.id, e.lease, e.timeout from experiments e
    where e.name = :name and e.status = 'RUNNING' and {unused} and {below_limit}
),
heads (seq) as materialized (
    select (
        select j.seq from jobs j indexed by jobs_ready
        where j.experiment_id = (select id from experiment) and j.needs = f.value and {ready}
        order by j.priority desc, j.seq limit 1
    )
    from json_each(:fitting) f
    union all
    select cast(:member as integer)
)
select
    {job}, e.lease, e.timeout, j.needs
from heads h cross join jobs j on j.seq = h.seq cross join experiment e
where {ready} and (cast(:least as integer) is null or j.priority >= cast(:least as integer))
order by j.priority desc, j.seq <> coalesce(cast(:member as integer), 0), j.seq limit 1;

-- first_ready: as pick_fitting, of an experiment by its number, without taking it.
with heads (seq) as materialized (
    select (
        select j.seq from jobs j indexed by jobs_ready
        where j.experiment_id = :experiment_id and j.needs = f.value and {ready}
        order by j.priority desc, j.seq limit 1
    )
    from json_each(:fitting) f
    union all
    select cast(:member as integer)
)
select j.seq, j.id, j.priority, j.needs
from heads h cross join jobs j on j.seq = h.seq
where {ready} and exists (
    select 1 from experiments e where e.id = :experiment_id and e.status = 'RUNNING' and {below_limit}
)
order by j.priority desc, j.seq <> coalesce(cast(:member as integer), 0), j.seq limit 1;

-- ready_of: which of these jobs can be claimed, in the order in which they are named.
select j.seq, j.needs, j.gang
from json_each(:ids) w cross join jobs j indexed by jobs_id on j.experiment_id = :experiment_id and j.id = w.value
where {ready}
order by w.key;

-- take: the picked job is running now.
update jobs set
    status = 'RUNNING', etag = :key, attempt = :number, due = :tick + :lease, worker = :worker, started_at = :now,
    ended_at = null
where seq = :seq;

-- held_plain: the job of an open attempt, unless others wait for it.
select
    {job}
from attempts a
join jobs j on j.seq = a.job_seq and j.attempt = a.number
join experiments e on e.id = j.experiment_id
where a.key = :attempt and j.status = 'RUNNING' and j.dependants = 0 and j.id = :id and e.name = :name;

-- finish: the open attempt's results become the job's.
update jobs set
    status = :status, results = :results, etag = :report, due = null, ended_at = :now
where seq = :seq;
