-- create_meta: facts about the store itself.
create table if not exists meta (name text primary key, value text not null);

-- meta: one fact.
select value from meta where name = :name;

-- set_meta: another value of a fact.
insert into meta (name, value) values (:name, :value) on conflict (name) do update set value = excluded.value;

-- keep_meta: a fact, unless it is known already.
insert into meta (name, value) values (:name, :value) on conflict (name) do nothing;

-- forget_meta: a fact that is none any more.
delete from meta where name = :name;

-- ping: whether the store answers.
select 1;
