-- Names are unique per owner: experiments.name, by which everything finds an experiment, is its address from now on.

-- label: what people call it; null: its address is its name, as that of every experiment before.
alter table experiments add column label text;

create unique index experiments_label on experiments (coalesce(label, name), coalesce(owner, ''));
create index experiments_labelled on experiments (label) where label is not null;
