-- seen: which of these digests the experiment has.
select distinct digest from fingerprints
where experiment_id = :experiment_id and digest in (select value from json_each(:digests));

-- remember: fingerprints of jobs, unless they have one.
insert into fingerprints (job_seq, experiment_id, digest, repeat)
select json_extract(value, '$[0]'), :experiment_id, json_extract(value, '$[1]'), json_extract(value, '$[2]')
from json_each(:fingerprints) where true
on conflict (job_seq) do nothing;

-- equal: of each of these digests the first fingerprint, and its job, if that is still there.
select f.job_seq, f.digest, j.id, j.hyperparameters
from json_each(:digests) wanted
cross join fingerprints f on f.experiment_id = :experiment_id and f.digest = wanted.value and f.repeat = (
    select min(repeat) from fingerprints where experiment_id = :experiment_id and digest = wanted.value
)
left join jobs j on j.seq = f.job_seq;
