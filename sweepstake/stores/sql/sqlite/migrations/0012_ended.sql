-- A claim and a finish look at this index and at this trigger. SQLite makes a table of its own for each list of three and
-- more values that it looks through, which took longer than all the rest of the two; comparisons it makes in passing.

drop index jobs_ended;
create index jobs_ended on jobs (experiment_id, status) where status <> 'QUEUED' and status <> 'RUNNING';

drop trigger jobs_count_changed;
create trigger jobs_count_changed after update of status, waiting, due on jobs when
    old.status <> new.status
    and (old.status <> 'QUEUED' and old.status <> 'RUNNING' or new.status <> 'QUEUED' and new.status <> 'RUNNING')
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
