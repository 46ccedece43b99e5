-- has_meta: whether facts about the store itself are kept already.
select 1 where to_regclass('meta') is not null;
