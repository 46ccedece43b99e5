-- lock_tries: how often a subject was tried in vain, and from when it may be tried again; nobody else counts meanwhile.
select tries, free_at, last_at from tries where subject = :subject for update;

-- experiments_of: which experiments these attempts belong to.
select a.key, e.name
from json_array_elements_text(cast(:keys as json)) k join attempts a on a.key = k
join jobs j on j.seq = a.job_seq join experiments e on e.id = j.experiment_id;

-- hold_token: the API token with which another is made; nobody revokes it before that one is there.
select made_with from api_tokens where digest = :digest for share;

-- hold_user: a user with whose password a token is made; nobody changes it before that one is there.
select email, password_hash from accounts where email = :email for share;
