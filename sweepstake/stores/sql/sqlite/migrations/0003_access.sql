-- What a token allows, whose an experiment is, and how often a password was tried in vain.

alter table api_tokens add column role text not null default 'admin';
alter table api_tokens add column name text not null default '';
alter table api_tokens add column expires_at real;

-- owner: email of the user who made it through a server; null: it is everybody's.
alter table experiments add column owner text;

create table shares (
    experiment_id integer not null,
    email text not null,
    role text not null,
    primary key (experiment_id, email)
) without rowid;

create index shares_email on shares (email);

-- free_at: Unix time from which the next try is allowed; a row is of no account 15 minutes after last_at.
create table tries (
    subject text primary key,
    tries integer not null,
    free_at real not null,
    last_at real not null
) without rowid;

create index tries_last on tries (last_at);
