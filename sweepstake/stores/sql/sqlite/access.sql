-- lock_tries: how often a subject was tried in vain, and from when it may be tried again; the transaction is the only writer.
select tries, free_at, last_at from tries where subject = :subject;

-- experiments_of: which experiments these attempts belong to.
select a.key, e.name
from json_each(:keys) k cross join attempts a on a.key = k.value
join jobs j on j.seq = a.job_seq join experiments e on e.id = j.experiment_id;

-- hold_token: the API token with which another is made; the transaction is the only writer.
select made_with from api_tokens where digest = :digest;

-- hold_user: a user with whose password a token is made; the transaction is the only writer.
select email, password_hash from accounts where email = :email;
