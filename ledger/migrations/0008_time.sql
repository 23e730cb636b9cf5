-- Time, supervision and disputes: what lists need to know of them, and the outbox of notices. Like all read models these
-- are folds of the log; a notice is written by the very transaction that records what it tells of.

alter table case_row
    add column condition text,
    add column calendar_version text collate "C",
    add column backlog boolean not null default false,
    add column returns integer not null default 0,
    add column open_orders integer not null default 0;

alter table clock
    add column step text collate "C",
    add column pauses jsonb not null default '[]',
    add column extended text[] not null default '{}',
    add column reached text[] not null default '{}';

create index case_row_rules on case_row (rules_version, calendar_version, id) where not finished;

create table notice (
    id uuid not null,
    stream text collate "C" not null,
    seq integer not null,
    process text collate "C" not null,
    kind text collate "C" not null,
    at timestamptz not null,
    role text collate "C",
    organisation text collate "C",
    grid text collate "C",
    person text collate "C",
    params jsonb not null,
    constraint notice_pkey primary key (id)
);

create index notice_stream on notice (stream, seq);
create index notice_at on notice (at, id);

create or replace function ledger_rows(p_rows jsonb) returns void
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
    v_unknown text;
begin
    select string_agg(k, ', ') into v_unknown
    from jsonb_object_keys(p_rows) k
    where k not in ('case_row', 'task', 'clock', 'wish', 'notice');
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
            updated_at = excluded.updated_at,
            condition = excluded.condition,
            calendar_version = excluded.calendar_version,
            backlog = excluded.backlog,
            returns = excluded.returns,
            open_orders = excluded.open_orders;
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
            state = excluded.state,
            step = excluded.step,
            pauses = excluded.pauses,
            extended = excluded.extended,
            reached = excluded.reached;
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

    -- A notice is written once and never changes; a rebuild writes the same ones again.
    if p_rows ? 'notice' then
        insert into notice
        select * from jsonb_populate_recordset(null::notice, p_rows -> 'notice')
        on conflict (id) do nothing;
    end if;
end
$$;
