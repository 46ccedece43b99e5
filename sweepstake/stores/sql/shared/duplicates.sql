-- count_uncompared: how many jobs have no fingerprint yet, up to :most.
select count(*) from (
    select 1 from jobs
    where experiment_id = :experiment_id and seq > (select compared_to from experiments where id = :experiment_id)
    limit :most
) as uncompared;

-- uncompared: the oldest jobs that have no fingerprint yet.
select seq, hyperparameters from jobs
where experiment_id = :experiment_id and seq > (select compared_to from experiments where id = :experiment_id)
order by seq limit :limit;

-- set_compared: the jobs up to this one have their fingerprints.
update experiments set compared_to = :seq where id = :experiment_id;

-- change_fingerprint: a job has other hyperparameters now; whether others have the same does not matter any more.
insert into fingerprints (job_seq, experiment_id, digest, repeat)
select seq, experiment_id, :digest, seq from jobs where seq = :seq
on conflict (job_seq) do update set digest = excluded.digest, repeat = excluded.repeat;

-- forget_fingerprint: a job is gone.
delete from fingerprints where job_seq = :seq;

-- delete_fingerprints: those of all jobs of an experiment.
delete from fingerprints where experiment_id = :experiment_id;
