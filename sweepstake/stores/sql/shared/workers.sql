-- see_worker: a worker is alive, and has this.
insert into workers (owner, name, slots, free, seen_at) values (:owner, :name, :slots, :free, :now)
on conflict (owner, name) do update set slots = excluded.slots, free = excluded.free, seen_at = excluded.seen_at;

-- forget_worker: a worker has ended.
delete from workers where owner = :owner and name = :name;

-- forget_old_workers: those that were not seen for a day.
delete from workers where seen_at < :now - 86400;

-- workers: those that are alive; of a viewer's only the viewer's own.
select name, slots, free, seen_at, owner from workers
where seen_at > :now - cast(:seconds as float8) and (cast(:viewer as text) is null or owner = :viewer)
order by name, owner limit :most;

-- {may_work}: what is true of a worker `w` that is alive and may work in an experiment.
w.seen_at > :now - cast(:seconds as float8) and (
    w.owner = ''
    or exists (select 1 from experiments e where e.id = :experiment_id and (e.owner is null or e.owner = w.owner))
    or w.owner in (select email from shares where experiment_id = :experiment_id and role <> 'read')
)

-- workers_for: the names of those workers, and what they have, that are alive and may work in an experiment.
select w.name, w.slots from workers w
where {may_work}
order by w.name limit :most;

-- worker_of: what such a worker of this name has; of several, the one that was seen last.
select w.slots from workers w
where w.name = :name and {may_work}
order by w.seen_at desc limit 1;

-- forget_rooms: who has made room for a job long enough.
delete from rooms where until <= :now;

-- make_room: a worker makes room for a job, if no other does.
insert into rooms (job_seq, worker, until) values (:seq, :worker, :now + cast(:seconds as float8))
on conflict (job_seq) do update set until = excluded.until where rooms.worker = excluded.worker;
