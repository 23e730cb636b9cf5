-- bihuan_app: what the worker and the console may do. It reads everything, appends through ledger_append, adds to
-- the vault, and can neither write nor change the log in any other way.

do $$
begin
    if not exists (select from pg_roles where rolname = 'bihuan_app') then
        create role bihuan_app nologin;
        -- So that a migrating user who is no superuser may hand the role on.
        execute format('grant bihuan_app to %I', current_user);
    end if;
exception
    -- Roles belong to the whole server: another database may be migrating at this very moment.
    when duplicate_object or unique_violation then null;
end
$$;

revoke all on function ledger_refuse_change() from public;
revoke all on function ledger_rows(jsonb) from public;
revoke all on function ledger_lock(text) from public;
revoke all on function ledger_open(text, uuid, integer) from public;
revoke all on function ledger_append(text, text, integer, uuid, text, timestamptz, jsonb, jsonb) from public;

grant usage on schema public to bihuan_app;
grant select on all tables in schema public to bihuan_app;
alter default privileges in schema public grant select on tables to bihuan_app;
grant execute on function ledger_open(text, uuid, integer) to bihuan_app;
grant execute on function ledger_append(text, text, integer, uuid, text, timestamptz, jsonb, jsonb) to bihuan_app;
grant insert on vault_key, vault_entry to bihuan_app;
