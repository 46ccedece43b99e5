-- Wherever a statement asks for a name, it is the address under which an experiment is kept.

-- experiment: one experiment by its address.
select id, name, status, search_kind, search_params, settings, etag, proposals, created, created_at, owner
from experiments where name = :name;

-- experiments_page: experiments made after one, oldest first; of a viewer's only those that the viewer may see.
-- Those that are being imported nobody sees.
select id, name, status, search_kind, search_params, settings, etag, proposals, created, created_at, owner
from experiments
where id > :after and substr(name, 1, 1) <> :hidden and (
    cast(:viewer as text) is null or owner is null or owner = :viewer
    or id in (select experiment_id from shares where email = :viewer)
)
order by id limit :limit;

-- own_experiment: the address of an owner's experiment.
select name from experiments where coalesce(label, name) = :called and coalesce(owner, '') = :owner;

-- shared_names: the names that several experiments have; of those only the first can have it as its address.
select distinct label from experiments where label is not null;

-- insert_experiment: a new experiment, unless the address is taken, or its owner has one of this label.
insert into experiments (
    name, label, status, search_kind, search_params, settings, lease, timeout, max_attempts, max_lost, max_preemptions,
    retry_delay, max_running, max_jobs, etag, created_at, owner
) values (
    :name, :label, :status, :search_kind, :search_params, :settings, :lease, :timeout, :max_attempts, :max_lost,
    :max_preemptions, :retry_delay, :max_running, :max_jobs, :etag, :now, :owner
) on conflict do nothing;

-- update_experiment: another definition; jobs, counts and proposals stay.
update experiments set
    status = :status, search_kind = :search_kind, search_params = :search_params, settings = :settings, lease = :lease,
    timeout = :timeout, max_attempts = :max_attempts, max_lost = :max_lost, max_preemptions = :max_preemptions,
    retry_delay = :retry_delay, max_running = :max_running, max_jobs = :max_jobs, etag = :etag
where name = :name;

-- end_experiment: an experiment is over.
update experiments set status = 'DONE', etag = :key where name = :name;

-- delete_experiment: the experiment itself; its jobs go before.
delete from experiments where id = :experiment_id;

-- delete_attempts: the attempts of all its jobs.
delete from attempts where job_seq in (select seq from jobs where experiment_id = :experiment_id);

-- delete_dependencies: what its jobs waited for.
delete from dependencies where job_seq in (select seq from jobs where experiment_id = :experiment_id);

-- delete_jobs: all its jobs.
delete from jobs where experiment_id = :experiment_id;

-- count_jobs: how many jobs there are and are in which state, as triggers keep it; how many run; how many delays are over.
select
    coalesce(sum(jobs), 0), coalesce(sum(blocked), 0), coalesce(sum(delayed), 0), coalesce(sum(done), 0),
    coalesce(sum(crashed), 0), coalesce(sum(pruned), 0), count(*), max(ended_at),
    (select max(started_at) from jobs where experiment_id = :experiment_id and status = 'RUNNING'),
    (select created_at from jobs where experiment_id = :experiment_id order by seq desc limit 1),
    (
        select count(*) from (
            select 1 from jobs where experiment_id = :experiment_id and status = 'RUNNING' order by due
        ) as running
    ),
    (
        select count(*) from (
            select 1 from jobs
            where experiment_id = :experiment_id and status = 'QUEUED' and due is not null and due <= (select :now)
            and waiting = 0 order by due
        ) as over
    )
from counts where experiment_id = :experiment_id;

-- outlook: whether jobs without a task are ready, and whether any are blocked or delayed; how many run, up to :most.
-- Each is told by an index of its own.
select
    (
        select 1 from jobs
        where experiment_id = :experiment_id and needs = 0 and status = 'QUEUED' and waiting = 0 and due is null limit 1
    ) is not null,
    (select 1 from jobs where experiment_id = :experiment_id and status = 'QUEUED' and waiting > 0 limit 1) is not null,
    (select 1 from jobs where experiment_id = :experiment_id and status = 'QUEUED' and due is not null limit 1) is not null,
    (
        select count(*) from (
            select 1 from jobs where experiment_id = :experiment_id and status = 'RUNNING' limit :most
        ) as running
    );

-- count_running: how many jobs run now.
select count(*) from jobs where experiment_id = :experiment_id and status = 'RUNNING';

-- reserve_jobs: room for more jobs under the experiment's limit of jobs ever created.
update experiments set created = created + :count
where name = :name and (max_jobs is null or created + :count <= max_jobs)
returning id, max_running;

-- reserve_proposal: the next proposal is ours, if exactly so many were made before.
update experiments set proposals = proposals + 1, created = created + 1
where name = :name and proposals = :proposals and status = 'RUNNING' and (max_jobs is null or created < max_jobs)
returning id, max_running, lease, timeout;

-- limits: what bounds an experiment.
select id, proposals, status, max_jobs, created, max_running from experiments where name = :name;
