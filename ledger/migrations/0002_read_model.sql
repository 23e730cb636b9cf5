-- Read models: folds of the log. They may be dropped and rebuilt at any time and are never the truth.

create table case_row (
    id text collate "C" not null,
    seq integer not null,
    stage text collate "C" not null,
    suspended boolean not null,
    shelved boolean not null,
    street text collate "C",
    community text collate "C",
    grid text collate "C",
    category text collate "C",
    urgency text collate "C",
    mode text collate "C",
    channel text collate "C",
    source text collate "C",
    external_id text collate "C",
    title text,
    text text,
    label text,
    found_at timestamptz,
    registered_at timestamptz not null,
    due_at timestamptz,
    light text collate "C",
    lead text collate "C",
    departments text[] collate "C" not null,
    level text collate "C",
    rework_count integer not null,
    visit_attempts integer not null,
    satisfaction text collate "C",
    solved boolean,
    was_overdue boolean not null,
    settled_at timestamptz,
    appraised_at timestamptz,
    archived_at timestamptz,
    finished boolean not null,
    rules_version text collate "C",
    opened_by text collate "C",
    updated_at timestamptz not null,
    constraint case_row_pkey primary key (id)
);

-- The same request must not be opened twice, whoever delivers it again.
create unique index case_row_external on case_row (source, external_id) where external_id is not null;
create index case_row_registered on case_row (registered_at desc, id desc);
create index case_row_due on case_row (coalesce(due_at, 'infinity'::timestamptz), id);
create index case_row_stage on case_row (stage, registered_at desc, id desc);
create index case_row_street on case_row (street, registered_at desc, id desc);
create index case_row_community on case_row (community, registered_at desc, id desc);
create index case_row_grid on case_row (grid, registered_at desc, id desc);
create index case_row_category on case_row (category, registered_at desc, id desc);
create index case_row_department on case_row using gin (departments);
create index case_row_open_due on case_row (coalesce(due_at, 'infinity'::timestamptz), id) where not finished;

create table task (
    stream text collate "C" not null,
    id text collate "C" not null,
    process text collate "C" not null,
    kind text collate "C" not null,
    role text collate "C",
    organisation text collate "C",
    grid text collate "C",
    person text collate "C",
    opened_at timestamptz not null,
    due_at timestamptz,
    closed_at timestamptz,
    constraint task_pkey primary key (stream, id)
);

create index task_inbox_organisation on task
    (organisation, coalesce(due_at, 'infinity'::timestamptz), stream, id) where closed_at is null;
create index task_inbox_grid on task
    (grid, role, coalesce(due_at, 'infinity'::timestamptz), stream, id) where closed_at is null;
create index task_inbox_person on task
    (person, coalesce(due_at, 'infinity'::timestamptz), stream, id) where closed_at is null;

create table clock (
    stream text collate "C" not null,
    id text collate "C" not null,
    process text collate "C" not null,
    kind text collate "C" not null,
    organisation text collate "C",
    limit_text text not null,
    rules_version text collate "C",
    calendar_version text collate "C",
    started_at timestamptz not null,
    warn_at timestamptz,
    due_at timestamptz,
    provisional boolean not null,
    warned_at timestamptz,
    overdue_at timestamptz,
    stopped_at timestamptz,
    state text collate "C" not null,
    constraint clock_pkey primary key (stream, id)
);

create table wish (
    id text collate "C" not null,
    seq integer not null,
    stage text collate "C" not null,
    street text collate "C",
    community text collate "C",
    grid text collate "C",
    title text,
    text text,
    published_at timestamptz not null,
    claimed_by text collate "C",
    claimed_at timestamptz,
    done_at timestamptz,
    thanked_at timestamptz,
    lapses_at timestamptz,
    finished boolean not null,
    updated_at timestamptz not null,
    constraint wish_pkey primary key (id)
);

create index wish_published on wish (published_at desc, id desc);

-- Writes full rows of read models; used by ledger_append and by the rebuild, so that both write alike.
-- Keys of p_rows are table names, values arrays of full row objects.
create function ledger_rows(p_rows jsonb) returns void
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
    v_unknown text;
begin
    select string_agg(k, ', ') into v_unknown
    from jsonb_object_keys(p_rows) k
    where k not in ('case_row', 'task', 'clock', 'wish');
    if v_unknown is not null then
        raise exception 'no such read model: %', v_unknown using errcode = 'BH004';
    end if;

    if p_rows ? 'case_row' then
        insert into case_row
        select * from jsonb_populate_recordset(null::case_row, p_rows -> 'case_row')
        on conflict (id) do update set
            seq = excluded.seq,
            stage = excluded.stage,
            suspended = excluded.suspended,
            shelved = excluded.shelved,
            street = excluded.street,
            community = excluded.community,
            grid = excluded.grid,
            category = excluded.category,
            urgency = excluded.urgency,
            mode = excluded.mode,
            channel = excluded.channel,
            source = excluded.source,
            external_id = excluded.external_id,
            title = excluded.title,
            text = excluded.text,
            label = excluded.label,
            found_at = excluded.found_at,
            registered_at = excluded.registered_at,
            due_at = excluded.due_at,
            light = excluded.light,
            lead = excluded.lead,
            departments = excluded.departments,
            level = excluded.level,
            rework_count = excluded.rework_count,
            visit_attempts = excluded.visit_attempts,
            satisfaction = excluded.satisfaction,
            solved = excluded.solved,
            was_overdue = excluded.was_overdue,
            settled_at = excluded.settled_at,
            appraised_at = excluded.appraised_at,
            archived_at = excluded.archived_at,
            finished = excluded.finished,
            rules_version = excluded.rules_version,
            opened_by = excluded.opened_by,
            updated_at = excluded.updated_at;
    end if;

    if p_rows ? 'task' then
        insert into task
        select * from jsonb_populate_recordset(null::task, p_rows -> 'task')
        on conflict (stream, id) do update set
            process = excluded.process,
            kind = excluded.kind,
            role = excluded.role,
            organisation = excluded.organisation,
            grid = excluded.grid,
            person = excluded.person,
            opened_at = excluded.opened_at,
            due_at = excluded.due_at,
            closed_at = excluded.closed_at;
    end if;

    if p_rows ? 'clock' then
        insert into clock
        select * from jsonb_populate_recordset(null::clock, p_rows -> 'clock')
        on conflict (stream, id) do update set
            process = excluded.process,
            kind = excluded.kind,
            organisation = excluded.organisation,
            limit_text = excluded.limit_text,
            rules_version = excluded.rules_version,
            calendar_version = excluded.calendar_version,
            started_at = excluded.started_at,
            warn_at = excluded.warn_at,
            due_at = excluded.due_at,
            provisional = excluded.provisional,
            warned_at = excluded.warned_at,
            overdue_at = excluded.overdue_at,
            stopped_at = excluded.stopped_at,
            state = excluded.state;
    end if;

    if p_rows ? 'wish' then
        insert into wish
        select * from jsonb_populate_recordset(null::wish, p_rows -> 'wish')
        on conflict (id) do update set
            seq = excluded.seq,
            stage = excluded.stage,
            street = excluded.street,
            community = excluded.community,
            grid = excluded.grid,
            title = excluded.title,
            text = excluded.text,
            published_at = excluded.published_at,
            claimed_by = excluded.claimed_by,
            claimed_at = excluded.claimed_at,
            done_at = excluded.done_at,
            thanked_at = excluded.thanked_at,
            lapses_at = excluded.lapses_at,
            finished = excluded.finished,
            updated_at = excluded.updated_at;
    end if;
end
$$;
