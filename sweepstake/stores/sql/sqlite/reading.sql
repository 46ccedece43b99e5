-- jobs_page: jobs made after one, by age.
select
    {job}
from jobs j where j.experiment_id = :experiment_id and j.seq > :after order by j.seq limit :limit;

-- jobs_of_statuses: jobs of some statuses, made after one, by age: the first of each status by an index of its own.
-- Ready jobs are kept by needs, priority, then age: of each needs and priority the oldest is looked up, again for each job that is found.
with recursive kinds (needs) as (
    select 0
    union all
    select id from needs where experiment_id = :experiment_id
),
priorities (needs, priority) as (
    select k.needs, (
        select max(j.priority) from jobs j indexed by jobs_ready
        where j.experiment_id = :experiment_id and j.needs = k.needs
        and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
    )
    from kinds k where instr(:statuses, 'QUEUED')
    union all
    select p.needs, (
        select j.priority from jobs j indexed by jobs_ready
        where j.experiment_id = :experiment_id and j.needs = p.needs
        and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
        and j.priority < p.priority order by j.priority desc limit 1
    )
    from priorities p where p.priority is not null
),
ready (seq) as (
    select :after
    union all
    select (
        select min((
            select j.seq from jobs j indexed by jobs_ready
            where j.experiment_id = :experiment_id and j.needs = p.needs
            and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
            and j.priority = p.priority and j.seq > w.seq order by j.seq limit 1
        ))
        from priorities p where p.priority is not null
    )
    from ready w where w.seq is not null
    limit :limit + 1
),
found (seq) as (
    select seq from ready where seq > :after
    union all
    select seq from (
        select seq from jobs indexed by jobs_waiting
        where experiment_id = :experiment_id and status = 'QUEUED' and (waiting > 0 or due is not null)
        and seq > :after and instr(:statuses, 'QUEUED') order by seq limit :limit
    )
    union all
    select seq from jobs indexed by jobs_running
    where experiment_id = :experiment_id and status = 'RUNNING' and seq > :after and instr(:statuses, 'RUNNING')
    union all
    select seq from (
        select seq from jobs indexed by jobs_ended
        where experiment_id = :experiment_id and status = 'DONE' and status <> 'QUEUED' and status <> 'RUNNING'
        and seq > :after and instr(:statuses, 'DONE') order by seq limit :limit
    )
    union all
    select seq from (
        select seq from jobs indexed by jobs_ended
        where experiment_id = :experiment_id and status = 'CRASHED' and status <> 'QUEUED' and status <> 'RUNNING'
        and seq > :after and instr(:statuses, 'CRASHED') order by seq limit :limit
    )
    union all
    select seq from (
        select seq from jobs indexed by jobs_ended
        where experiment_id = :experiment_id and status = 'PRUNED' and status <> 'QUEUED' and status <> 'RUNNING'
        and seq > :after and instr(:statuses, 'PRUNED') order by seq limit :limit
    )
)
select
    {job}
from (select seq from found order by seq limit :limit) f cross join jobs j on j.seq = f.seq
order by f.seq;

-- jobs_of_tag: jobs with a tag, and of some statuses if any are named, made after one, by age.
select
    {job}
from tags t cross join jobs j on j.seq = t.job_seq
where t.experiment_id = :experiment_id and t.tag = :tag and t.job_seq > :after
and (:statuses = '[]' or j.status in (select value from json_each(:statuses)))
order by t.job_seq limit :limit;

-- offer: the first ready job that was not offered within the last second, else the first ready one.
select
    {job}
from jobs j indexed by jobs_ready
where j.experiment_id = :experiment_id and j.needs = 0
and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
and (cast(:fresh as integer) = 0 or j.offered_at is null or j.offered_at <= :now - 1 or j.offered_at > :now)
order by j.priority desc, j.seq limit 1;
