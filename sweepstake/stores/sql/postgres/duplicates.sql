-- seen: which of these digests the experiment has, each looked up by itself.
select f.digest
from json_array_elements_text(cast(:digests as json)) wanted cross join lateral (
    select digest from fingerprints where experiment_id = :experiment_id and digest = wanted limit 1
) f;

-- remember: fingerprints of jobs, unless they have one.
insert into fingerprints (job_seq, experiment_id, digest, repeat)
select cast(f ->> 0 as bigint), :experiment_id, f ->> 1, cast(f ->> 2 as bigint)
from json_array_elements(cast(:fingerprints as json)) f
on conflict (job_seq) do nothing;

-- equal: of each of these digests the first fingerprint, and its job, if that is still there.
select f.job_seq, f.digest, j.id, j.hyperparameters
from json_array_elements_text(cast(:digests as json)) wanted
cross join lateral (
    select job_seq, digest from fingerprints
    where experiment_id = :experiment_id and digest = wanted order by repeat limit 1
) f
left join lateral (select id, hyperparameters from jobs where seq = f.job_seq limit 1) j on true;
