-- jobs_page: jobs made after one, by age, until their texts are as long as what is read at once; text adds them up.
select
    {job}, j.text
from (
    select
        *, sum(octet_length(hyperparameters) + octet_length(results) + octet_length(notes)) over (
            order by seq rows unbounded preceding
        ) as text
    from (select * from jobs where experiment_id = :experiment_id and seq > :after order by seq limit :limit) p
) j
where j.text - octet_length(j.hyperparameters) - octet_length(j.results) - octet_length(j.notes) < :most
order by j.seq;

-- jobs_of_statuses: as jobs_page, jobs of some statuses: the first of each status by an index of its own.
with found as materialized (
    (
        select seq from jobs
        where experiment_id = :experiment_id and coalesce(status, '') = 'QUEUED' and seq > :after
        and strpos(cast(:statuses as text), 'QUEUED') > 0 order by seq limit :limit
    )
    union all
    (
        select seq from jobs
        where experiment_id = :experiment_id and status = 'RUNNING' and seq > :after
        and strpos(cast(:statuses as text), 'RUNNING') > 0 order by seq limit :limit
    )
    union all
    (
        select seq from jobs
        where experiment_id = :experiment_id and status = 'DONE' and seq > :after
        and strpos(cast(:statuses as text), 'DONE') > 0 order by seq limit :limit
    )
    union all
    (
        select seq from jobs
        where experiment_id = :experiment_id and status = 'CRASHED' and seq > :after
        and strpos(cast(:statuses as text), 'CRASHED') > 0 order by seq limit :limit
    )
    union all
    (
        select seq from jobs
        where experiment_id = :experiment_id and status = 'PRUNED' and seq > :after
        and strpos(cast(:statuses as text), 'PRUNED') > 0 order by seq limit :limit
    )
)
select
    {job}, j.text
from (
    select
        p.*, sum(octet_length(p.hyperparameters) + octet_length(p.results) + octet_length(p.notes)) over (
            order by p.seq rows unbounded preceding
        ) as text
    from (select seq from found order by seq limit :limit) f
    cross join lateral (select * from jobs where seq = f.seq limit 1) p
) j
where j.text - octet_length(j.hyperparameters) - octet_length(j.results) - octet_length(j.notes) < :most
order by j.seq;

-- jobs_of_tag: as jobs_page, jobs with a tag, and of some statuses if any are named.
select
    {job}, j.text
from (
    select
        p.*, sum(octet_length(p.hyperparameters) + octet_length(p.results) + octet_length(p.notes)) over (
            order by p.seq rows unbounded preceding
        ) as text
    from (
        select j.*
        from (
            select job_seq from tags
            where experiment_id = :experiment_id and tag = :tag and job_seq > :after order by job_seq
        ) t
        cross join lateral (select * from jobs where seq = t.job_seq limit 1) j
        where cast(:statuses as text) = '[]'
        or j.status = any (array(select json_array_elements_text(cast(:statuses as json))))
        order by t.job_seq limit :limit
    ) p
) j
where j.text - octet_length(j.hyperparameters) - octet_length(j.results) - octet_length(j.notes) < :most
order by j.seq;

-- offer: the first ready job without a task that was not offered within the last second, else the first ready one.
select
    {job}
from jobs j
where j.experiment_id = :experiment_id and j.needs = 0
and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
and (cast(:fresh as integer) = 0 or j.offered_at is null or j.offered_at <= :now - 1 or j.offered_at > :now)
order by j.priority desc, j.seq limit 1 for update skip locked;
