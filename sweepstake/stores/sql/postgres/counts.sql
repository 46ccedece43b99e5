-- fold_counts: the counts of connections become part of those in slot 0, but for those that are changed just now.
with folded as (
    delete from counts c using (
        select slot from counts where experiment_id = :experiment_id and slot <> 0 for update skip locked
    ) free
    where c.experiment_id = :experiment_id and c.slot = free.slot
    returning c.jobs, c.blocked, c.delayed, c.done, c.crashed, c.pruned, c.ended_at
)
insert into counts as c (experiment_id, slot, jobs, blocked, delayed, done, crashed, pruned, ended_at)
select :experiment_id, 0, sum(jobs), sum(blocked), sum(delayed), sum(done), sum(crashed), sum(pruned), max(ended_at)
from folded having count(*) > 0
on conflict (experiment_id, slot) do update set
    jobs = c.jobs + excluded.jobs, blocked = c.blocked + excluded.blocked, delayed = c.delayed + excluded.delayed,
    done = c.done + excluded.done, crashed = c.crashed + excluded.crashed, pruned = c.pruned + excluded.pruned,
    ended_at = greatest(c.ended_at, excluded.ended_at);

-- delete_counts: the counts of an experiment that goes, but for those that are changed just now.
delete from counts c using (
    select slot from counts where experiment_id = :experiment_id for update skip locked
) free
where c.experiment_id = :experiment_id and c.slot = free.slot;
