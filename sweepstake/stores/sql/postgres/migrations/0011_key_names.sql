-- Op keys are kept by name from now on; a store that has kept keys themselves looks for those, too.

insert into meta (name, value) select 'keys', 'kept' where exists (select 1 from events) on conflict (name) do nothing;
