-- {ready}: what is true of a job `j` that can be claimed.
j.status = 'QUEUED' and j.waiting = 0 and j.due is null

-- {unused}: no rarer write used this op key.
not exists (select 1 from events where key = :key)

-- {below_limit}: an experiment `e` runs fewer jobs than it may.
(
    e.max_running is null
    or (select count(*) from jobs r where r.experiment_id = e.id and r.status = 'RUNNING') < e.max_running
)
