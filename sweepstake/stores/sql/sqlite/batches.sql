-- add_batch_jobs: the jobs of a submission.
insert into batch_jobs (batch_seq, job, experiment_id)
select cast(:seq as integer), value, cast(:experiment_id as integer) from json_each(:jobs);

-- submissions_of: of each of these batches that was submitted before: its newest number, and that of one not over.
select b.id, max(b.number), max(case when b.status <> 'ENDED' then b.number end)
from json_each(:ids) w
cross join batches b indexed by batches_number on b.experiment_id = :experiment_id and b.id = w.value
group by b.id;

-- live_batches_of: which of these jobs are in a batch that is not over, and in which.
select w.value, b.id, b.number, b.status, b.jobid
from json_each(:jobs) w
cross join batch_jobs m indexed by batch_jobs_job on m.experiment_id = :experiment_id and m.job = w.value
join batches b on b.seq = m.batch_seq
where b.status <> 'ENDED'
order by w.key limit :most;
