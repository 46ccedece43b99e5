-- add_user: a user, unless the email is taken.
insert into accounts (email, password_hash) values (:email, :password_hash) on conflict (email) do nothing;

-- set_password: another password.
update accounts set password_hash = :password_hash where email = :email;

-- user: one user.
select email, password_hash from accounts where email = :email;

-- users: all users.
select email, password_hash from accounts order by email;

-- delete_user: a user is one no more.
delete from accounts where email = :email;

-- add_token: one more API token of a user who exists.
insert into api_tokens (digest, email, created_at, role, name, expires_at, made_with)
select :digest, email, :now, :role, :name, :expires_at, :made_with from accounts where email = :email
on conflict (digest) do nothing;

-- delete_tokens: no API token of this user's is valid any more.
delete from api_tokens where email = :email;

-- token: one API token.
select digest, email, name, role, created_at, expires_at, made_with from api_tokens where digest = :digest;

-- tokens: the API tokens of one user, or of all.
select digest, email, name, role, created_at, expires_at, made_with from api_tokens
where email = coalesce(cast(:email as text), email) order by email, created_at, digest;

-- delete_token: an API token is valid no more.
delete from api_tokens where digest = :digest;

-- delete_password_tokens: what was made with a password ends with it.
delete from api_tokens where email = :email and made_with like 'password:%';

-- delete_orphans: what was made with an API token ends with it; to be repeated until there is none.
delete from api_tokens where made_with not like 'password:%'
and not exists (select 1 from api_tokens maker where maker.digest = api_tokens.made_with);
