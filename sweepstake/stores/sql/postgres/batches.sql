-- add_batch_jobs: the jobs of a submission.
insert into batch_jobs (batch_seq, job, experiment_id)
select cast(:seq as bigint), job, cast(:experiment_id as bigint)
from json_array_elements_text(cast(:jobs as json)) job;

-- submissions_of: of each of these batches that was submitted before: its newest number, and that of one not over.
select b.id, max(b.number), max(case when b.status <> 'ENDED' then b.number end)
from batches b
where b.experiment_id = :experiment_id and b.id = any (array(select json_array_elements_text(cast(:ids as json))))
group by b.id;

-- live_batches_of: which of these jobs are in a batch that is not over, and in which.
select w.job, b.id, b.number, b.status, b.jobid
from json_array_elements_text(cast(:jobs as json)) with ordinality w (job, place)
join batch_jobs m on m.experiment_id = :experiment_id and m.job = w.job
join batches b on b.seq = m.batch_seq
where b.status <> 'ENDED'
order by w.place limit :most;
