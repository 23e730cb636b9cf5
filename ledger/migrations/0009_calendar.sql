-- Work calendars are kept like rule books: immutable under their version; the one new processes pin is the last choice
-- made. An imported list of days off moves deadlines, so the choice says by whom it was made.

create table calendar (
    version text collate "C" not null,
    body jsonb not null,
    digest text collate "C" not null,
    added_at timestamptz not null default now(),
    constraint calendar_pkey primary key (version)
);

create table calendar_choice (
    number integer generated always as identity,
    version text collate "C" not null references calendar,
    chosen_by text collate "C" not null,
    chosen_at timestamptz not null default now(),
    constraint calendar_choice_pkey primary key (number)
);

do $$
declare
    v_table text;
begin
    foreach v_table in array array['calendar', 'calendar_choice'] loop
        execute format(
            'create trigger %1$s_no_change before update or delete on %1$I
                for each row execute function ledger_refuse_change()', v_table);
        execute format(
            'create trigger %1$s_no_truncate before truncate on %1$I
                for each statement execute function ledger_refuse_change()', v_table);
    end loop;
end
$$;

-- What an act may rest on includes the calendar from now on: both ways into the log name the one in force.

drop function ledger_open(text, uuid, integer);

create function ledger_open(
    p_stream text,
    p_command uuid,
    p_since integer,
    out head_seq integer,
    out head_hash text,
    out since_hash text,
    out command jsonb,
    out events jsonb,
    out registry_revision integer,
    out rule_book text,
    out calendar text
)
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
begin
    perform ledger_lock(p_stream);

    select e.seq, e.hash into head_seq, head_hash
    from event e
    where e.stream = p_stream
    order by e.seq desc
    limit 1;
    head_seq := coalesce(head_seq, 0);
    head_hash := coalesce(head_hash, '');

    if p_since = 0 then
        since_hash := '';
    elsif p_since = head_seq then
        since_hash := head_hash;
    else
        select e.hash into since_hash from event e where e.stream = p_stream and e.seq = p_since;
    end if;

    select to_jsonb(c) into command from command c where c.id = p_command;

    if head_seq > p_since then
        select jsonb_agg(to_jsonb(e) order by e.seq) into events
        from event e
        where e.stream = p_stream and e.seq > p_since;
    end if;
    events := coalesce(events, '[]'::jsonb);

    select coalesce(max(r.number), 0) into registry_revision from registry_revision r;
    select c.version into rule_book from rule_book_choice c order by c.number desc limit 1;
    select c.version into calendar from calendar_choice c order by c.number desc limit 1;
end
$$;

drop function ledger_record(text, text, integer, text, integer, text, uuid, text, timestamptz, jsonb, jsonb);

create function ledger_record(
    p_stream text,
    p_process text,
    p_since integer,
    p_since_hash text,
    p_revision integer,
    p_rule_book text,
    p_calendar text,
    p_command uuid,
    p_digest text,
    p_at timestamptz,
    p_events jsonb,
    p_rows jsonb
) returns text
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    v_seq integer;
    v_hash text;
    v_revision integer;
    v_rule_book text;
    v_calendar text;
begin
    perform ledger_lock(p_stream);

    select e.seq, e.hash into v_seq, v_hash
    from event e
    where e.stream = p_stream
    order by e.seq desc
    limit 1;
    select coalesce(max(r.number), 0) into v_revision from registry_revision r;
    select c.version into v_rule_book from rule_book_choice c order by c.number desc limit 1;
    select c.version into v_calendar from calendar_choice c order by c.number desc limit 1;

    if coalesce(v_seq, 0) <> p_since
        or coalesce(v_hash, '') <> p_since_hash
        or v_revision <> p_revision
        or v_rule_book is distinct from p_rule_book
        or v_calendar is distinct from p_calendar
        or exists (select from command c where c.id = p_command)
    then
        return null;
    end if;
    return ledger_append(p_stream, p_process, p_since, p_command, p_digest, p_at, p_events, p_rows);
end
$$;

revoke all on function ledger_open(text, uuid, integer) from public;
revoke all on function
    ledger_record(text, text, integer, text, integer, text, text, uuid, text, timestamptz, jsonb, jsonb)
    from public;
grant execute on function ledger_open(text, uuid, integer) to bihuan_app;
grant execute on function
    ledger_record(text, text, integer, text, integer, text, text, uuid, text, timestamptz, jsonb, jsonb)
    to bihuan_app;
