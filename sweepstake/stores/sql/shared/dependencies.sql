-- dependencies: the jobs that a job waits for, oldest first.
select o.id, o.status, d.prunes from dependencies d join jobs o on o.seq = d.on_seq
where d.job_seq = :seq order by d.on_seq;

-- blocked: queued jobs that wait for others, made after one, by age, and for how many.
select seq, id, waiting from jobs
where experiment_id = :experiment_id and status = 'QUEUED' and waiting > 0 and seq > :after order by seq limit :limit;

-- awaited: what those of them up to one wait for.
select d.job_seq, o.id
from jobs j join dependencies d on d.job_seq = j.seq join jobs o on o.seq = d.on_seq
where j.experiment_id = :experiment_id and j.status = 'QUEUED' and j.waiting > 0 and j.seq > :after and j.seq <= :upto
and o.status <> 'DONE'
order by d.job_seq, d.on_seq;

-- unblock: one dependency of these jobs is DONE, or gone; they are locked before.
update jobs set waiting = waiting - 1 where seq in (select job_seq from dependencies where on_seq = :seq);

-- block: one dependency of these jobs is not DONE any more; they are locked before.
update jobs set waiting = waiting + 1 where seq in (select job_seq from dependencies where on_seq = :seq);

-- release_dependencies: a job that goes away depends on nothing; what it depended on is locked before.
update jobs set dependants = dependants - 1 where seq in (select on_seq from dependencies where job_seq = :seq);

-- delete_job_dependencies: both what it waited for and what waited for it.
delete from dependencies where job_seq = :seq or on_seq = :seq;
