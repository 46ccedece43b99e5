-- archive_jobs: all that is kept of some jobs of an experiment, with their attempts; documents only once.
select
    j.seq, j.id, j.status, case when coalesce(a.number, 1) = 1 then j.hyperparameters end,
    case when coalesce(a.number, 1) = 1 then j.results end, {j.queueing}, j.origin, j.worker, j.failures, j.losses, j.preemptions, j.created_at, j.started_at, j.ended_at,
    j.task, j.spec_version, j.gang, j.rank, j.seed,
    a.number, a.key, a.worker, a.lease, a.started_at, a.ended_at, a.outcome, a.reason, a.output, a.finish_key,
    a.late_results
from (
    select
        seq, id, status, hyperparameters, results, {queueing}, origin, worker, failures, losses, preemptions,
        created_at, started_at, ended_at, task, spec_version, gang, rank, seed
    from jobs where experiment_id = :experiment_id and seq > :after order by seq limit :limit
) j
left join attempts a on a.job_seq = j.seq and a.job_seq > :after
and a.job_seq <= (
    select max(seq) from (
        select seq from jobs where experiment_id = :experiment_id and seq > :after order by seq limit :limit
    ) p
)
order by j.seq, a.number;

-- archive_spec: the next version of what an experiment runs.
select s.version, s.text, s.document, s.created_at, n.document
from specs s left join snapshots n on n.digest = s.snapshot
where s.experiment_id = :experiment_id and s.version > :after order by s.version limit 1;

-- archive_dependencies: what waits for what among the jobs of an experiment up to one.
select d.job_seq, d.on_seq, j.id, o.id, d.prunes
from dependencies d join jobs j on j.seq = d.job_seq join jobs o on o.seq = d.on_seq
where j.experiment_id = :experiment_id
and j.seq <= :last and (d.job_seq > :after_job or d.job_seq = :after_job and d.on_seq > :after_on) and d.job_seq >= :after_job
order by d.job_seq, d.on_seq limit :limit;

-- archive_events: the events of an experiment.
select seq, at, verb, job, key, detail from events
where experiment = :name and seq > :after order by seq limit :limit;

-- last_deletion: the event with which the last experiment of a name was deleted.
select coalesce(max(seq), 0) from events where experiment = :name and verb = 'delete_experiment';

-- known_event: whether an op key is that of an event, and of which one.
select seq, experiment, detail from events where key = :key;

-- import_counts: an experiment that is being imported counts on from where it stood.
update experiments set proposals = :proposals, created = :created, created_at = :created_at where id = :experiment_id;

-- import_job: a job as it stood elsewhere.
insert into jobs (
    {queueing}, experiment_id, id, status, etag, due, attempt, failures, losses, preemptions, worker, created_at,
    started_at, ended_at, origin, hyperparameters, results, task, spec_version, needs, gang, rank, seed
) values (
    {:queueing}, :experiment_id, :id, :status, :etag, :due, :attempt, :failures, :losses, :preemptions, :worker,
    :created_at, :started_at, :ended_at, :origin, :hyperparameters, :results, :task, :spec_version, :needs, :gang, :rank,
    :seed
);

-- import_attempt: an attempt as it stood elsewhere.
insert into attempts (
    job_seq, number, key, worker, lease, started_at, ended_at, outcome, reason, output, finish_key, late_results
)
select
    seq, cast(:number as integer), :key, :worker, cast(:lease as float8), cast(:started_at as float8),
    cast(:ended_at as float8), :outcome, :reason, :output, :finish_key, :late_results
from jobs where experiment_id = :experiment_id and id = :id;

-- import_dependency: a job waits for another, as it did elsewhere.
insert into dependencies (job_seq, on_seq, prunes)
select j.seq, o.seq, cast(:prunes as integer)
from jobs j, jobs o
where j.experiment_id = :experiment_id and j.id = :id and o.experiment_id = :experiment_id and o.id = :on_id
and j.seq > o.seq
on conflict (job_seq, on_seq) do nothing;

-- count_dependencies: a job counts for how many it waits, and how many wait for it.
update jobs set
    waiting = (
        select count(*) from dependencies d join jobs o on o.seq = d.on_seq
        where d.job_seq = jobs.seq and o.status <> 'DONE'
    ),
    dependants = (select count(*) from dependencies d where d.on_seq = jobs.seq)
where experiment_id = :experiment_id and id = :id;

-- import_event: an event as it stood elsewhere.
insert into events (at, verb, experiment, job, key, detail)
values (cast(:at as float8), :verb, :experiment, :job, :key, :detail);

-- arrived: how much an import has brought, beside its own event.
select
    (select count(*) from jobs where experiment_id = :experiment_id),
    (select count(*) from attempts a join jobs j on j.seq = a.job_seq where j.experiment_id = :experiment_id),
    (select count(*) from dependencies d join jobs j on j.seq = d.job_seq where j.experiment_id = :experiment_id),
    (select count(*) from events where experiment = :name and seq > :after),
    (select count(*) from specs where experiment_id = :experiment_id);

-- faulty_gang: a gang whose jobs are not of one task, each with a rank of its own.
select gang from jobs where experiment_id = :experiment_id and gang is not null
group by gang having count(distinct rank) < count(*) or count(distinct task) > 1 or count(distinct spec_version) > 1
limit 1;

-- publish_experiment: an import becomes an experiment that everybody sees.
update experiments set name = :name, label = :label, created = case when created < :jobs then :jobs else created end
where id = :experiment_id;

-- publish_events: so do its events.
update events set experiment = :name where experiment = :hidden and seq >= :first;

-- delete_events: the events of an import that is abandoned.
delete from events where experiment = :hidden and seq >= :first;

-- stale_imports: imports that were begun long ago and never ended.
select e.name from experiments e join events v on v.key = substr(e.name, 2)
where e.name like :pattern and v.at < :now - cast(:seconds as float8);
