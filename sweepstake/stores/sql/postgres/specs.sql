-- tasks_of: those of these tasks that a version of a spec has.
select name, needs from tasks
where experiment_id = :experiment_id and version = :version
and name = any (array(select json_array_elements_text(cast(:names as json))));

-- gangs_of: those of these gangs that an experiment has.
select distinct gang from jobs
where experiment_id = :experiment_id and gang is not null
and gang in (select json_array_elements_text(cast(:names as json)));
