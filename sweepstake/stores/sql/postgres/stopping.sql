-- stoppable: jobs of a status, made after one and up to another, by age: all, or those of these ids.
-- One that was stopped for this cause before was queued again by somebody since.
select seq, dependants from jobs
where experiment_id = :experiment_id and status = :status and seq > :after and seq <= :upto
and (cast(:ids as text) is null or id = any (array(select json_array_elements_text(cast(:ids as json)))))
and not exists (select 1 from events where key = cast(:cause as text) || '-stop-' || jobs.seq)
order by seq limit 500 for no key update;

-- fellows: jobs that are queued or run, and came from the same version of a spec as one.
select seq, dependants from jobs
where experiment_id = :experiment_id and status in ('QUEUED', 'RUNNING') and spec_version = :version and seq <> :seq
order by seq for no key update;

-- running_fellows: those of them that run.
select seq, dependants from jobs
where experiment_id = :experiment_id and status = 'RUNNING' and spec_version = :version and seq <> :seq
order by seq for no key update;

-- stop: these jobs are PRUNED.
update jobs set status = 'PRUNED', etag = cast(:cause as text) || '-stop-' || seq, due = null, ended_at = :now
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));

-- preempt: these jobs are queued again; that others were preempted costs them nothing.
update jobs set status = 'QUEUED', etag = cast(:cause as text) || '-stop-' || seq, due = null, ended_at = :now
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s)) and status = 'RUNNING';

-- end_attempts: the open attempts of these jobs have ended.
update attempts set ended_at = :now, outcome = :outcome, reason = :reason
where ended_at is null and job_seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));

-- note_stopped: the ledger's rows of that.
insert into events (at, verb, experiment, job, key, detail)
select :now, :verb, e.name, j.id, j.etag, :reason
from jobs j join experiments e on e.id = j.experiment_id
where j.seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s));

-- crash_waiting: these jobs, which were queued, are CRASHED.
update jobs set status = 'CRASHED', etag = cast(:cause as text) || '-stop-' || seq, due = null, ended_at = :now
where seq = any (array(select cast(s as bigint) from json_array_elements_text(cast(:seqs as json)) s)) and status = 'QUEUED';
