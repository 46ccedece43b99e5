-- tasks_of: those of these tasks that a version of a spec has.
select t.name, t.needs
from json_each(:names) n
cross join tasks t on t.experiment_id = :experiment_id and t.version = :version and t.name = n.value;

-- gangs_of: those of these gangs that an experiment has.
select n.value from json_each(:names) n
where exists (
    select 1 from jobs j where j.experiment_id = :experiment_id and j.gang is not null and j.gang = n.value
);
