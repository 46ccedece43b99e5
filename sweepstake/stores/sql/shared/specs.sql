-- insert_spec: a new version of what an experiment runs, of now or of when it was made elsewhere; the experiment is locked.
insert into specs (experiment_id, version, text, document, created_at, snapshot)
select cast(:experiment_id as bigint), coalesce(max(version), 0) + 1, :text, :document,
    coalesce(cast(:created_at as float8), :now), :snapshot
from specs where experiment_id = :experiment_id
returning version;

-- spec: one version of what an experiment runs.
select s.version, s.text, s.document, s.created_at, n.document
from specs s left join snapshots n on n.digest = s.snapshot
where s.experiment_id = :experiment_id and s.version = :version;

-- keep_snapshot: what the code was where a spec was submitted, once for equal ones.
insert into snapshots (digest, document, used_at) values (:digest, :document, :now)
on conflict (digest) do update set used_at = excluded.used_at;

-- drop_snapshots: those that no spec has. One that was used just now may be of a spec that is still being stored.
delete from snapshots
where used_at < :now - 3600 and not exists (select 1 from specs where specs.snapshot = snapshots.digest);

-- latest_spec: the number of the last version of what an experiment runs.
select max(version) from specs where experiment_id = :experiment_id;

-- insert_needs: needs that the experiment has not yet.
insert into needs (experiment_id, text) values (:experiment_id, :text) on conflict do nothing;

-- needs: the distinct needs of an experiment's tasks.
select id, text from needs where experiment_id = :experiment_id order by id;

-- insert_task: a task of a version of a spec.
insert into tasks (experiment_id, version, name, needs, fails_all, preempts_all, start_timeout, proposed)
values (:experiment_id, :version, :name, :needs, :fails_all, :preempts_all, :start_timeout, :proposed);

-- proposed_task: the task of the last version of a spec whose jobs the search makes, and what they need.
select t.name, t.version, t.needs, n.text
from tasks t join needs n on n.id = t.needs
where t.experiment_id = :experiment_id and t.proposed = 1
and t.version = (select max(version) from specs where experiment_id = :experiment_id);

-- needs_of: the distinct needs of an experiment's tasks, by its address.
select n.id, n.text from experiments e join needs n on n.experiment_id = e.id where e.name = :name;

-- ready_kinds: whether jobs of tasks are ready.
select 1 from needs n where n.experiment_id = :experiment_id and (
    select 1 from jobs j where j.experiment_id = :experiment_id and j.needs = n.id and {ready} limit 1
) is not null limit 1;

-- task: what the end of a task's job does to the others of its spec.
select fails_all, preempts_all, start_timeout from tasks where experiment_id = :experiment_id and version = :version and name = :name;

-- last_seq: the job of an experiment that was made last.
select coalesce(max(seq), 0) from jobs where experiment_id = :experiment_id;

-- delete_specs: what an experiment that goes away runs.
delete from specs where experiment_id = :experiment_id;

-- delete_tasks: the tasks of it.
delete from tasks where experiment_id = :experiment_id;

-- delete_needs: what its jobs need.
delete from needs where experiment_id = :experiment_id;
