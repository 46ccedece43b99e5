-- How many jobs of an experiment are in which state, kept by triggers, so that whoever changes a job keeps them too;
-- and what a listing by status or by tag is read from.
--
-- A claim changes nothing here. Running jobs are few, and are counted; ready are those that are left of all.

-- Nobody else changes a job between what is counted here and the first that a trigger counts.
lock table jobs in share row exclusive mode;

-- One row for each connection that changed jobs of an experiment: slot is the server's number of the connection, so
-- that no transaction waits for another to count. The sums hold. Slot 0 has what was folded together. ended_at is when a
-- job last ended.
create table counts (
    experiment_id bigint not null,
    slot integer not null,
    jobs bigint not null,
    blocked bigint not null,
    delayed bigint not null,
    done bigint not null,
    crashed bigint not null,
    pruned bigint not null,
    ended_at double precision,
    primary key (experiment_id, slot)
) with (fillfactor = 20);

create table tags (
    experiment_id bigint not null,
    tag text collate "C" not null,
    job_seq bigint not null,
    primary key (experiment_id, tag, job_seq)
);

-- The planner takes it only for who writes coalesce as well, and never for a claim whose plan is as old as the store.
create index jobs_queued on jobs (experiment_id, seq) where coalesce(status, '') = 'QUEUED';
create index jobs_ended on jobs (experiment_id, status, seq) where status in ('DONE', 'CRASHED', 'PRUNED');

create function count_changed_job() returns trigger language plpgsql as $$
begin
    insert into counts as c (experiment_id, slot, jobs, blocked, delayed, done, crashed, pruned, ended_at) values (
        new.experiment_id, pg_backend_pid(), 0,
        cast(new.status = 'QUEUED' and new.waiting > 0 as integer)
        - cast(old.status = 'QUEUED' and old.waiting > 0 as integer),
        cast(new.status = 'QUEUED' and new.waiting = 0 and new.due is not null as integer)
        - cast(old.status = 'QUEUED' and old.waiting = 0 and old.due is not null as integer),
        cast(new.status = 'DONE' as integer)
        - cast(old.status = 'DONE' as integer),
        cast(new.status = 'CRASHED' as integer)
        - cast(old.status = 'CRASHED' as integer),
        cast(new.status = 'PRUNED' as integer)
        - cast(old.status = 'PRUNED' as integer),
        new.ended_at
    ) on conflict (experiment_id, slot) do update set
        jobs = c.jobs + excluded.jobs, blocked = c.blocked + excluded.blocked, delayed = c.delayed + excluded.delayed,
        done = c.done + excluded.done, crashed = c.crashed + excluded.crashed, pruned = c.pruned + excluded.pruned,
        ended_at = greatest(c.ended_at, excluded.ended_at);
    return null;
end
$$;

-- Of new and of deleted jobs many are counted at once. The argument is 1 or -1.
create function count_many_jobs() returns trigger language plpgsql as $$
begin
    insert into counts as c (experiment_id, slot, jobs, blocked, delayed, done, crashed, pruned, ended_at)
    select
        experiment_id, pg_backend_pid(), cast(tg_argv[0] as integer) * count(*),
        cast(tg_argv[0] as integer) * count(*) filter (where status = 'QUEUED' and waiting > 0),
        cast(tg_argv[0] as integer) * count(*) filter (where status = 'QUEUED' and waiting = 0 and due is not null),
        cast(tg_argv[0] as integer) * count(*) filter (where status = 'DONE'),
        cast(tg_argv[0] as integer) * count(*) filter (where status = 'CRASHED'),
        cast(tg_argv[0] as integer) * count(*) filter (where status = 'PRUNED'),
        max(ended_at)
    from many group by experiment_id
    on conflict (experiment_id, slot) do update set
        jobs = c.jobs + excluded.jobs, blocked = c.blocked + excluded.blocked, delayed = c.delayed + excluded.delayed,
        done = c.done + excluded.done, crashed = c.crashed + excluded.crashed, pruned = c.pruned + excluded.pruned,
        ended_at = greatest(c.ended_at, excluded.ended_at);
    if tg_op = 'INSERT' then
        insert into tags (experiment_id, tag, job_seq)
        select m.experiment_id, t.tag, m.seq
        from many m cross join lateral json_array_elements_text(cast(m.tags as json)) t (tag)
        where m.tags <> '[]' on conflict do nothing;
    else
        delete from tags t using (
            select m.experiment_id, o.tag, m.seq
            from many m cross join lateral json_array_elements_text(cast(m.tags as json)) o (tag) where m.tags <> '[]'
        ) gone
        where t.experiment_id = gone.experiment_id and t.tag = gone.tag and t.job_seq = gone.seq;
    end if;
    return null;
end
$$;

create function change_tags() returns trigger language plpgsql as $$
begin
    delete from tags t using json_array_elements_text(cast(old.tags as json)) o (tag)
    where t.experiment_id = old.experiment_id and t.tag = o.tag and t.job_seq = old.seq;
    insert into tags (experiment_id, tag, job_seq)
    select new.experiment_id, n.tag, new.seq from json_array_elements_text(cast(new.tags as json)) n (tag)
    on conflict do nothing;
    return null;
end
$$;

insert into counts (experiment_id, slot, jobs, blocked, delayed, done, crashed, pruned, ended_at)
select
    experiment_id, 0, count(*),
    count(*) filter (where status = 'QUEUED' and waiting > 0),
    count(*) filter (where status = 'QUEUED' and waiting = 0 and due is not null),
    count(*) filter (where status = 'DONE'),
    count(*) filter (where status = 'CRASHED'),
    count(*) filter (where status = 'PRUNED'),
    max(ended_at)
from jobs group by experiment_id;

insert into tags (experiment_id, tag, job_seq)
select j.experiment_id, t.tag, j.seq
from jobs j cross join lateral json_array_elements_text(cast(j.tags as json)) t (tag)
where j.tags <> '[]' on conflict do nothing;

create trigger jobs_count_changed after update of status, waiting, due on jobs for each row when (
    old.status <> new.status
    and (old.status in ('DONE', 'CRASHED', 'PRUNED') or new.status in ('DONE', 'CRASHED', 'PRUNED'))
    or (old.status = 'QUEUED' and old.waiting > 0) <> (new.status = 'QUEUED' and new.waiting > 0)
    or (old.status = 'QUEUED' and old.waiting = 0 and old.due is not null)
    <> (new.status = 'QUEUED' and new.waiting = 0 and new.due is not null)
) execute procedure count_changed_job();

create trigger jobs_count_added after insert on jobs referencing new table as many
for each statement execute procedure count_many_jobs('1');

create trigger jobs_count_deleted after delete on jobs referencing old table as many
for each statement execute procedure count_many_jobs('-1');

create trigger jobs_change_tags after update of tags on jobs for each row
when (old.tags <> new.tags) execute procedure change_tags();
