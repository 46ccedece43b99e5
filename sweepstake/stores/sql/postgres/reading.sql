-- jobs_filtered: jobs of some statuses, or with a tag, made after one, by age.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at
from jobs j
where j.experiment_id = :experiment_id and j.seq > :after
and (cast(:statuses as text) = '[]' or j.status = any (array(select json_array_elements_text(cast(:statuses as json)))))
and (cast(:tag as text) is null or jsonb_exists(cast(j.tags as jsonb), cast(:tag as text)))
order by j.seq limit :limit;

-- offer: the first ready job that was not offered within the last second, else the first ready one.
select
    j.seq, j.id, j.status, j.hyperparameters, j.results, j.etag, j.priority, j.not_before, j.waiting, j.tags, j.notes,
    j.origin, j.attempt, j.worker, j.due, j.created_at, j.started_at, j.ended_at
from jobs j
where j.experiment_id = :experiment_id and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
and (cast(:fresh as integer) = 0 or j.offered_at is null or j.offered_at <= :now - 1 or j.offered_at > :now)
order by j.priority desc, j.seq limit 1 for update skip locked;
