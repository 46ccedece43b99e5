-- pick: the ready job of highest priority, then oldest; none under an op key that a rarer write used.
select
    {job}, e.lease, e.timeout
from experiments e join jobs j indexed by jobs_ready on j.experiment_id = e.id
where e.name = :name and e.status = 'RUNNING'
and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
and not exists (select 1 from events where key = :key)
and (
    e.max_running is null
    or (select count(*) from jobs r where r.experiment_id = e.id and r.status = 'RUNNING') < e.max_running
)
order by j.priority desc, j.seq limit 1;

-- pick_of: as pick, of these jobs only.
select
    {job}, e.lease, e.timeout
from experiments e
join jobs j indexed by jobs_id on j.experiment_id = e.id and j.id in (select value from json_each(:ids))
where e.name = :name and e.status = 'RUNNING'
and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
and not exists (select 1 from events where key = :key)
and (
    e.max_running is null
    or (select count(*) from jobs r where r.experiment_id = e.id and r.status = 'RUNNING') < e.max_running
)
order by j.priority desc, j.seq limit 1;

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
    status = :status, results = :results, hyperparameters = :hyperparameters, etag = :key, due = null, ended_at = :now
where seq = :seq;
