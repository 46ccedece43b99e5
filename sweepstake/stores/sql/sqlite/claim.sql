-- pick: the ready job of highest priority, then oldest.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt + 1, j.worker, j.due, j.created_at, j.started_at, j.ended_at, e.lease, e.timeout
from experiments e join jobs j indexed by jobs_ready on j.experiment_id = e.id
where e.name = :name and e.status = 'RUNNING'
and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
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

-- finish: the open attempt's results become the job's, unless others wait for it.
update jobs set
    status = :status, results = :results, hyperparameters = coalesce(:hyperparameters, hyperparameters), etag = :key,
    due = null, ended_at = :now
where (seq, attempt) = (select job_seq, number from attempts where key = :attempt)
and experiment_id = (select id from experiments where name = :name)
and id = :id and status = 'RUNNING' and dependants = 0
returning
    seq, id, status, hyperparameters, results, etag, priority, not_before, waiting, tags, notes, origin, attempt, worker,
    due, created_at, started_at, ended_at;

-- finish_attempt: the attempt that reported is over.
update attempts set ended_at = :now, outcome = :outcome, reason = :reason, finish_key = :key where key = :attempt;
