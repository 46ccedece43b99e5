-- {batch}: the columns of a submission of a batch `b`, in the order in which they are read.
b.seq, b.number, b.status, b.jobid, b.allocation, b.reason, b.worker, b.intended_at, b.submitted_at, b.begun_at,
b.ended_at, b.draft

-- batch: one submission of a batch.
select {batch} from batches b where b.experiment_id = :experiment_id and b.id = :id and b.number = :number;

-- last_batch: the newest submission of a batch.
select {batch} from batches b where b.experiment_id = :experiment_id and b.id = :id order by b.number desc limit 1;

-- batches_page: submissions of batches after one, oldest first.
select {batch} from batches b where b.experiment_id = :experiment_id and b.seq > :after order by b.seq limit :limit;

-- live_batches_page: those of them that are not over.
select {batch} from batches b
where b.experiment_id = :experiment_id and b.status <> 'ENDED' and b.seq > :after order by b.seq limit :limit;

-- batch_counts: how many of the jobs of a submission are in which state.
select
    coalesce(sum(case when {ready} or j.status = 'QUEUED' and j.waiting = 0 and j.due <= :now then 1 else 0 end), 0),
    coalesce(sum(case when j.status = 'QUEUED' and j.waiting > 0 then 1 else 0 end), 0),
    coalesce(sum(case when j.status = 'QUEUED' and j.waiting = 0 and j.due > :now then 1 else 0 end), 0),
    coalesce(sum(case when j.status = 'RUNNING' then 1 else 0 end), 0),
    coalesce(sum(case when j.status = 'DONE' then 1 else 0 end), 0),
    coalesce(sum(case when j.status = 'CRASHED' then 1 else 0 end), 0),
    coalesce(sum(case when j.status = 'PRUNED' then 1 else 0 end), 0)
from batch_jobs m join jobs j on j.experiment_id = m.experiment_id and j.id = m.job
where m.batch_seq = :seq;

-- live_batch_of: the submission that is not over of the batch that a job is in.
select {batch} from batch_jobs m join batches b on b.seq = m.batch_seq
where m.experiment_id = :experiment_id and m.job = :job and b.status <> 'ENDED'
order by b.seq desc limit 1;

-- last_batch_of: the newest submission of those batches that a job was ever in.
select {batch} from batch_jobs m join batches b on b.seq = m.batch_seq
where m.experiment_id = :experiment_id and m.job = :job
order by b.seq desc limit 1;

-- add_batch: a batch is about to be submitted.
insert into batches (experiment_id, id, number, status, draft, intended_at)
values (:experiment_id, :id, :number, 'INTENDED', :draft, :now)
returning seq;

-- set_batch: how far a submission has come.
update batches set
    status = :status, jobid = :jobid, allocation = :allocation, reason = :reason, worker = :worker,
    submitted_at = :submitted_at, begun_at = :begun_at, ended_at = :ended_at
where seq = :seq;

-- delete_batch_jobs: which jobs were in which batches of an experiment.
delete from batch_jobs where experiment_id = :experiment_id;

-- delete_batches: all its batches.
delete from batches where experiment_id = :experiment_id;
