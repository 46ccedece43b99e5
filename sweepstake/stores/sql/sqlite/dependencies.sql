-- jobs_of: those of an experiment's jobs that have one of these ids.
select seq, id, status from jobs where experiment_id = :experiment_id and id in (select value from json_each(:ids));

-- link: what new jobs wait for.
insert into dependencies (job_seq, on_seq, prunes)
select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(:edges);

-- add_dependants: so many more jobs wait for each of these.
update jobs set dependants = dependants + :more where seq in (select value from json_each(:seqs));

-- recount: for how many unfinished jobs these wait.
update jobs set waiting = (
    select count(*) from dependencies d join jobs o on o.seq = d.on_seq
    where d.job_seq = jobs.seq and o.status <> 'DONE'
)
where seq in (select value from json_each(:seqs));

-- lock_jobs: how these jobs are; the transaction is the only writer.
select seq, status from jobs where seq in (select value from json_each(:seqs));

-- lock_dependencies: nothing to do: the transaction is the only writer.
select 1;

-- lock_dependants: nothing to do: the transaction is the only writer.
select 1;

-- lock_downstream: nothing to do: the transaction is the only writer.
select 1;

-- prunable: queued jobs that are to be pruned with one of these.
select seq from jobs
where status = 'QUEUED' and seq in (
    select job_seq from dependencies where prunes = 1 and on_seq in (select value from json_each(:seqs))
);

-- prune_with: these jobs are PRUNED, because a job that they wait for failed.
update jobs set status = 'PRUNED', etag = :cause || '-with-' || seq, due = null, ended_at = :now
where seq in (select value from json_each(:seqs));

-- note_pruned: the ledger's rows of that; detail is the job at which it began.
insert into events (at, verb, experiment, job, key, detail)
select :now, 'prune', e.name, j.id, j.etag, (select id from jobs where seq = :first)
from jobs j join experiments e on e.id = j.experiment_id
where j.seq in (select value from json_each(:seqs));
