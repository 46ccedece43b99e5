-- dependencies: the jobs that a job waits for, oldest first.
select o.id, o.status, d.prunes from dependencies d join jobs o on o.seq = d.on_seq
where d.job_seq = :seq order by d.on_seq;

-- unblock: one dependency of these jobs is DONE, or gone; they are locked before.
update jobs set waiting = waiting - 1 where seq in (select job_seq from dependencies where on_seq = :seq);

-- block: one dependency of these jobs is not DONE any more; they are locked before.
update jobs set waiting = waiting + 1 where seq in (select job_seq from dependencies where on_seq = :seq);

-- release_dependencies: a job that goes away depends on nothing; what it depended on is locked before.
update jobs set dependants = dependants - 1 where seq in (select on_seq from dependencies where job_seq = :seq);

-- delete_job_dependencies: both what it waited for and what waited for it.
delete from dependencies where job_seq = :seq or on_seq = :seq;
