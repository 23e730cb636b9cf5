-- The moment each process waits for, as its own plan names it, written with the facts it follows from. One that is past
-- and still stands here was never said: its workflow is slow, behind the ledger, or lost, and is told to look. It takes
-- the place of the indexes by which the lights of clocks and the lapse of wishes were found; suspensions, questions,
-- reviews, rungs and windows stand on no clock's light. Null: nothing is waited for.
create table awaited (
    stream text collate "C" not null,
    at timestamptz,
    constraint awaited_pkey primary key (stream)
);

create index awaited_at on awaited (at) where at is not null;

-- What was open before this table: the next light of its clocks, or the lapse of the wish, until its next act or a rebuild.
insert into awaited (stream, at)
select stream, min(least(due_at, case when warned_at is null then warn_at end))
from clock
where stopped_at is null and overdue_at is null
group by stream
union all
select id, lapses_at from wish where not finished;

drop index clock_awaited;
drop index wish_awaited;

create or replace function ledger_rows(p_rows jsonb) returns void
language plpgsql volatile
set search_path = public, pg_temp
as $$
declare
    v_unknown text;
begin
    select string_agg(k, ', ') into v_unknown
    from jsonb_object_keys(p_rows) k
    where k not in ('case_row', 'task', 'clock', 'wish', 'notice', 'case_figure', 'awaited');
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

    if p_rows ? 'case_figure' then
        insert into case_figure
        select * from jsonb_populate_recordset(null::case_figure, p_rows -> 'case_figure')
        on conflict (id) do update set
            street = excluded.street,
            community = excluded.community,
            grid = excluded.grid,
            category = excluded.category,
            urgency = excluded.urgency,
            departments = excluded.departments,
            lead = excluded.lead,
            opened_by = excluded.opened_by,
            rules_version = excluded.rules_version,
            response = excluded.response,
            handling = excluded.handling,
            response_rules = excluded.response_rules,
            handling_rules = excluded.handling_rules,
            on_the_spot = excluded.on_the_spot,
            finished_once = excluded.finished_once,
            dispatches = excluded.dispatches,
            misdirected = excluded.misdirected,
            returns = excluded.returns,
            reworks = excluded.reworks,
            reopenings = excluded.reopenings,
            urges = excluded.urges,
            urgings = excluded.urgings,
            orders = excluded.orders,
            satisfaction = excluded.satisfaction,
            solved = excluded.solved,
            registered_at = excluded.registered_at,
            struck_off_at = excluded.struck_off_at,
            published_at = excluded.published_at,
            settled_at = excluded.settled_at,
            registered_month = excluded.registered_month,
            settled_month = excluded.settled_month;
    end if;

    if p_rows ? 'awaited' then
        insert into awaited
        select * from jsonb_populate_recordset(null::awaited, p_rows -> 'awaited')
        on conflict (stream) do update set at = excluded.at;
    end if;
end
$$;
