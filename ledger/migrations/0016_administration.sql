-- Administrators keep the registry, the rules and the calendar at the console as well, whose role may so far not write
-- them. It may add to these tables and nothing else: they cannot be changed or emptied by anybody (0004, 0009), what is
-- in force is the last row added, and every row says by whom.

-- Until now only the owner wrote revisions, always a whole one. A row added to an older revision would change what was
-- true on a past day, so the whole of a revision belongs to the transaction that makes it.
create function registry_whole_revision() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if exists (
        select from fresh f
        left join registry_revision r
            on r.number = f.revision and r.xmin = pg_current_xact_id()::xid
        where r.number is null
    ) then
        raise exception using
            errcode = 'BH006',
            message = format('rows of %s belong to a revision made in the same transaction', tg_table_name);
    end if;
    return null;
end
$$;

create function registry_next_revision() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if new.number <> coalesce((select max(r.number) from registry_revision r), 0) + 1 then
        raise exception using
            errcode = 'BH006',
            message = format('revision %s does not follow the last one', new.number);
    end if;
    return new;
end
$$;

create trigger registry_revision_next before insert on registry_revision
    for each row execute function registry_next_revision();

do $$
declare
    v_table text;
begin
    foreach v_table in array array['organisation', 'grid', 'category', 'person', 'assignment'] loop
        execute format(
            'create trigger %1$s_whole_revision after insert on %1$I
                referencing new table as fresh
                for each statement execute function registry_whole_revision()', v_table);
    end loop;
end
$$;

revoke all on function registry_whole_revision() from public;
revoke all on function registry_next_revision() from public;

grant insert on registry_revision, organisation, grid, category, person, assignment to bihuan_app;
grant insert on rule_book, rule_book_choice to bihuan_app;
grant insert on calendar, calendar_choice to bihuan_app;
