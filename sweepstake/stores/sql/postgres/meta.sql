-- has_meta: whether facts about the store itself are kept already.
select 1 where to_regclass('meta') is not null;

-- connections_used_up: whether the database has no connection left for this user.
select 1
from pg_roles, pg_database
where rolname = session_user
    and datname = current_database()
    and (
        rolconnlimit >= 0 and rolconnlimit <= (select count(*) from pg_stat_activity where usename = session_user)
        or datconnlimit >= 0
            and datconnlimit <= (select count(*) from pg_stat_activity where datname = current_database())
        or (select count(*) from pg_stat_activity where backend_type = 'client backend')
            >= current_setting('max_connections')::integer
                - current_setting('superuser_reserved_connections')::integer
    );
