-- jobs_of: those of an experiment's jobs that have one of these ids, each looked up by itself.
select j.seq, j.id, j.status
from json_array_elements_text(cast(:ids as json)) wanted cross join lateral (
    select seq, id, status from jobs where experiment_id = :experiment_id and id = wanted limit 1
) j;

-- link: what new jobs wait for.
insert into dependencies (job_seq, on_seq, prunes)
select cast(e ->> 0 as bigint), cast(e ->> 1 as bigint), cast(e ->> 2 as integer)
from json_array_elements(cast(:edges as json)) e;

-- add_dependants: so many more jobs wait for each of these, which are locked.
update jobs set dependants = dependants + :more
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));

-- recount: for how many unfinished jobs these wait, which are new or locked.
update jobs set waiting = (
    select count(*) from dependencies d join jobs o on o.seq = d.on_seq
    where d.job_seq = jobs.seq and o.status <> 'DONE'
)
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));

-- lock_jobs: how these jobs are, and stay until the transaction ends.
select seq, status from jobs
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s))
order by seq for no key update;

-- lock_dependencies: what a job waits for is older, so it is locked before the job.
select seq from jobs
where seq = any (array(
    select d.on_seq from dependencies d join jobs j on j.seq = d.job_seq
    where j.experiment_id = :experiment_id and j.id = :id
))
order by seq for no key update;

-- lock_dependants: what waits for a job is newer, so it is locked after the job.
select seq from jobs where seq = any (array(select job_seq from dependencies where on_seq = :seq))
order by seq for no key update;

-- lock_downstream: whatever may be pruned with a job, in the order in which everybody locks several.
with recursive downstream (seq) as (
    select d.job_seq from dependencies d where d.on_seq = :seq and d.prunes = 1
    union
    select d.job_seq from dependencies d join downstream u on d.on_seq = u.seq where d.prunes = 1
)
select seq from jobs where seq = any (array(select seq from downstream)) order by seq for no key update;

-- prunable: queued jobs that are to be pruned with one of these.
select seq from jobs
where status = 'QUEUED' and seq = any (array(
    select job_seq from dependencies where prunes = 1 and on_seq = any (array(
        select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s
    ))
))
order by seq for no key update;

-- prune_with: these jobs are PRUNED, because a job that they wait for failed.
update jobs set status = 'PRUNED', etag = cast(:cause as text) || '-with-' || seq, due = null, ended_at = :now
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));

-- note_pruned: the ledger's rows of that; detail is the job at which it began.
insert into events (at, verb, experiment, job, key, detail)
select :now, 'prune', e.name, j.id, j.etag, (select id from jobs where seq = :first)
from jobs j join experiments e on e.id = j.experiment_id
where j.seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));
