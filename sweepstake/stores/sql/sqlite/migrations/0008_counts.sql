-- How many jobs of an experiment are in which state, kept by triggers, so that whoever changes a job keeps them too;
-- and what a listing by status or by tag is read from.
--
-- A claim changes nothing here. Running jobs are few, and are counted; ready are those that are left of all. ended_at is
-- when a job last ended.

create table counts (
    experiment_id integer primary key,
    jobs integer not null,
    blocked integer not null,
    delayed integer not null,
    done integer not null,
    crashed integer not null,
    pruned integer not null,
    ended_at real
);

create table tags (
    experiment_id integer not null,
    tag text not null,
    job_seq integer not null,
    primary key (experiment_id, tag, job_seq)
) without rowid;

-- The rowid, which is seq, ends every index. Queued jobs are in this one or in jobs_ready: a claim changes no index more.
create index jobs_waiting on jobs (experiment_id) where status = 'QUEUED' and (waiting > 0 or due is not null);
create index jobs_ended on jobs (experiment_id, status) where status in ('DONE', 'CRASHED', 'PRUNED');

insert into counts (experiment_id, jobs, blocked, delayed, done, crashed, pruned, ended_at)
select
    experiment_id, count(*),
    sum(status = 'QUEUED' and waiting > 0),
    sum(status = 'QUEUED' and waiting = 0 and due is not null),
    sum(status = 'DONE'),
    sum(status = 'CRASHED'),
    sum(status = 'PRUNED'),
    max(ended_at)
from jobs group by experiment_id;

insert into tags (experiment_id, tag, job_seq)
select distinct j.experiment_id, t.value, j.seq from jobs j, json_each(j.tags) t where j.tags <> '[]';

create trigger jobs_count_added after insert on jobs begin
    insert into counts (experiment_id, jobs, blocked, delayed, done, crashed, pruned, ended_at) values (
        new.experiment_id, 1,
        new.status = 'QUEUED' and new.waiting > 0,
        new.status = 'QUEUED' and new.waiting = 0 and new.due is not null,
        new.status = 'DONE',
        new.status = 'CRASHED',
        new.status = 'PRUNED',
        new.ended_at
    ) on conflict (experiment_id) do update set
        jobs = jobs + excluded.jobs, blocked = blocked + excluded.blocked, delayed = delayed + excluded.delayed,
        done = done + excluded.done, crashed = crashed + excluded.crashed, pruned = pruned + excluded.pruned,
        ended_at = coalesce(max(ended_at, excluded.ended_at), ended_at, excluded.ended_at);
end;

create trigger jobs_count_changed after update of status, waiting, due on jobs when
    old.status <> new.status
    and (old.status in ('DONE', 'CRASHED', 'PRUNED') or new.status in ('DONE', 'CRASHED', 'PRUNED'))
    or (old.status = 'QUEUED' and old.waiting > 0) <> (new.status = 'QUEUED' and new.waiting > 0)
    or (old.status = 'QUEUED' and old.waiting = 0 and old.due is not null)
    <> (new.status = 'QUEUED' and new.waiting = 0 and new.due is not null)
begin
    update counts set
        blocked = blocked + (new.status = 'QUEUED' and new.waiting > 0)
        - (old.status = 'QUEUED' and old.waiting > 0),
        delayed = delayed + (new.status = 'QUEUED' and new.waiting = 0 and new.due is not null)
        - (old.status = 'QUEUED' and old.waiting = 0 and old.due is not null),
        done = done + (new.status = 'DONE')
        - (old.status = 'DONE'),
        crashed = crashed + (new.status = 'CRASHED')
        - (old.status = 'CRASHED'),
        pruned = pruned + (new.status = 'PRUNED')
        - (old.status = 'PRUNED'),
        ended_at = coalesce(max(ended_at, new.ended_at), ended_at, new.ended_at)
    where experiment_id = new.experiment_id;
end;

create trigger jobs_count_deleted after delete on jobs begin
    update counts set
        jobs = jobs - 1,
        blocked = blocked - (old.status = 'QUEUED' and old.waiting > 0),
        delayed = delayed - (old.status = 'QUEUED' and old.waiting = 0 and old.due is not null),
        done = done - (old.status = 'DONE'),
        crashed = crashed - (old.status = 'CRASHED'),
        pruned = pruned - (old.status = 'PRUNED')
    where experiment_id = old.experiment_id;
end;

create trigger jobs_add_tags after insert on jobs when new.tags <> '[]' begin
    insert into tags (experiment_id, tag, job_seq)
    select distinct new.experiment_id, t.value, new.seq from json_each(new.tags) t;
end;

create trigger jobs_change_tags after update of tags on jobs when old.tags <> new.tags begin
    delete from tags
    where experiment_id = old.experiment_id and job_seq = old.seq and tag in (select value from json_each(old.tags));
    insert into tags (experiment_id, tag, job_seq)
    select distinct new.experiment_id, t.value, new.seq from json_each(new.tags) t;
end;

create trigger jobs_delete_tags after delete on jobs when old.tags <> '[]' begin
    delete from tags
    where experiment_id = old.experiment_id and job_seq = old.seq and tag in (select value from json_each(old.tags));
end;
