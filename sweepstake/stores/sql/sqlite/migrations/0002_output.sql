-- output: the end of what an attempt printed.

alter table attempts add column output text not null default '';
