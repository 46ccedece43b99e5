-- Claims and plain finishes count for themselves, in their own statement: to call a function for each costs more.

-- Nobody else changes a job between the old trigger and the new one.
lock table jobs in share row exclusive mode;

-- counted: another number than before tells the trigger that whoever changed the job has counted that. Those who know
-- nothing of it, as older versions do, leave it alone, and the trigger counts for them.
alter table jobs add column counted smallint not null default 0;

create or replace function count_changed_job() returns trigger language plpgsql as $$
begin
    if not (
        old.status <> new.status
        and (old.status in ('DONE', 'CRASHED', 'PRUNED') or new.status in ('DONE', 'CRASHED', 'PRUNED'))
        or (old.status = 'QUEUED' and old.waiting > 0) <> (new.status = 'QUEUED' and new.waiting > 0)
        or (old.status = 'QUEUED' and old.waiting = 0 and old.due is not null)
        <> (new.status = 'QUEUED' and new.waiting = 0 and new.due is not null)
    ) then
        return null;
    end if;
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

drop trigger jobs_count_changed on jobs;

-- A long condition here would be read anew by each statement.
create trigger jobs_count_changed after update of status, waiting, due on jobs for each row
when (old.counted = new.counted) execute procedure count_changed_job();
