-- A name of its own for each store, so that whoever works with one notices when another is in its place.

insert into meta (name, value) values ('store', lower(hex(randomblob(16)))) on conflict (name) do nothing;
