-- has_meta: whether facts about the store itself are kept already.
select 1 from sqlite_master where type = 'table' and name = 'meta';
