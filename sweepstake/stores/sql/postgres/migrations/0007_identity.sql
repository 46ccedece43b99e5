-- A name of its own for each store, so that whoever works with one notices when another is in its place.

insert into meta (name, value)
values ('store', md5(random()::text || clock_timestamp()::text || random()::text))
on conflict (name) do nothing;
