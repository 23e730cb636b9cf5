-- Statistics of a city without reading its cases: sums of what each case adds to the figures, kept as the cases change.
--
-- An act adds only lines to figure_change and open_change: what a case added before (sign -1) and what it adds now
-- (sign 1), in its own transaction. Nothing is updated there, so acts never wait for each other on a sum. The round
-- "figures_fold" takes these lines into the sums in one transaction. Whoever reads takes the sums and the lines not yet
-- folded in one statement, and so has the figures of that moment exactly, whether or not the round keeps pace.
--
-- The columns of the sums are facts, as those of case_figure are: which of them makes a rate is said in ledger/figures.py.

create table figure_change (
    sign integer not null,
    street text collate "C",
    community text collate "C",
    category text collate "C",
    urgency text collate "C",
    lead text collate "C",
    response text collate "C" not null,
    handling text collate "C" not null,
    finished_once boolean not null,
    dispatches integer not null,
    misdirected integer not null,
    returns integer not null,
    reworks integer not null,
    reopenings integer not null,
    urges integer not null,
    urgings integer not null,
    orders integer not null,
    satisfaction text collate "C",
    solved boolean,
    registered_at timestamptz not null,
    struck_off_at timestamptz,
    published_at timestamptz,
    settled_at timestamptz,
    registered_month integer not null,
    settled_month integer
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- One row for each moment by which cases are counted (basis), each day or month of the office (unit, begins), and each
-- place, or each subject: a lead with a category and an urgency. Rows of places leave the subject empty, and the other
-- way round. Only as fine as a city's pages ask: everything finer is few cases, and those are read themselves.
create table figure_sum (
    part text collate "C" not null,
    basis text collate "C" not null,
    unit text collate "C" not null,
    begins date not null,
    street text collate "C",
    community text collate "C",
    lead text collate "C",
    category text collate "C",
    urgency text collate "C",
    cases integer not null,
    standing integer not null,
    response_in_time integer not null,
    response_late integer not null,
    response_overdue integer not null,
    response_missed integer not null,
    response_open integer not null,
    response_not_dispatched integer not null,
    response_on_the_spot integer not null,
    response_ended integer not null,
    response_no_limit integer not null,
    handling_in_time integer not null,
    handling_late integer not null,
    handling_overdue integer not null,
    handling_missed integer not null,
    handling_open integer not null,
    handling_not_dispatched integer not null,
    handling_on_the_spot integer not null,
    handling_ended integer not null,
    handling_no_limit integer not null,
    solved_yes integer not null,
    solved_no integer not null,
    very_satisfied integer not null,
    satisfied integer not null,
    fair integer not null,
    dissatisfied integer not null,
    very_dissatisfied integer not null,
    finished_once integer not null,
    never_again integer not null,
    dispatches integer not null,
    misdirected integer not null,
    returns integer not null,
    reworks integer not null,
    urges integer not null,
    urgings integer not null,
    orders integer not null,
    constraint figure_sum_part check (part in ('place', 'subject')),
    constraint figure_sum_unit check (unit in ('day', 'month'))
) with (fillfactor = 80);

create unique index figure_sum_key on figure_sum
    (part, basis, unit, begins, street, community, lead, category, urgency) nulls not distinct;

create table open_change (
    sign integer not null,
    community text collate "C",
    lead text collate "C",
    light text collate "C",
    due_on date
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The open cases of each community, each lead (part, code) by light, and of each day on which some are due.
create table open_sum (
    part text collate "C" not null,
    code text collate "C",
    light text collate "C",
    due_on date,
    cases integer not null,
    constraint open_sum_part check (part in ('community', 'lead', 'due'))
) with (fillfactor = 50);

create unique index open_sum_key on open_sum (part, code, light, due_on) nulls not distinct;

-- The day of the office; its zone knows no summer time.
create function office_day(at timestamptz) returns date
language sql immutable strict parallel safe
return ((at at time zone 'utc') + interval '8 hours')::date;

create function figure_changed() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_op <> 'INSERT' then
        insert into figure_change
        values (
            -1, old.street, old.community, old.category, old.urgency, old.lead, old.response, old.handling,
            old.finished_once, old.dispatches, old.misdirected, old.returns, old.reworks, old.reopenings, old.urges,
            old.urgings, old.orders, old.satisfaction, old.solved, old.registered_at, old.struck_off_at,
            old.published_at, old.settled_at, old.registered_month, old.settled_month
        );
    end if;
    if tg_op <> 'DELETE' then
        insert into figure_change
        values (
            1, new.street, new.community, new.category, new.urgency, new.lead, new.response, new.handling,
            new.finished_once, new.dispatches, new.misdirected, new.returns, new.reworks, new.reopenings, new.urges,
            new.urgings, new.orders, new.satisfaction, new.solved, new.registered_at, new.struck_off_at,
            new.published_at, new.settled_at, new.registered_month, new.settled_month
        );
    end if;
    return null;
end
$$;

create function figure_emptied() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    delete from figure_change;
    delete from figure_sum;
    return null;
end
$$;

create function open_changed() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_op <> 'INSERT' then
        if not old.finished and old.settled_at is null then
            insert into open_change values (-1, old.community, old.lead, old.light, office_day(old.due_at));
        end if;
    end if;
    if tg_op <> 'DELETE' then
        if not new.finished and new.settled_at is null then
            insert into open_change values (1, new.community, new.lead, new.light, office_day(new.due_at));
        end if;
    end if;
    return null;
end
$$;

create function open_emptied() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    delete from open_change;
    delete from open_sum;
    return null;
end
$$;

-- Takes up to p_most lines of each kind into the sums and returns how many there were. One at a time: who comes while
-- another folds returns 0 at once. Days are kept for a hundred days: pages ask for the last weeks by days, for what is
-- longer ago by months.
--
-- Folds what is left of the lines: what a case added and took back since the last round comes to nothing before anything
-- is counted, so that a busy case costs one line and not one for each of its facts. The two moments by which the open
-- ledger alone counts, by community, are counted by themselves and not with everything else.
create function figures_fold(p_most integer) returns integer
language plpgsql volatile security definer
set search_path = public, pg_temp
set work_mem = '64MB'
as $$
declare
    v_figures integer;
    v_open integer;
    v_first date := office_day(now()) - 100;
begin
    if not pg_try_advisory_xact_lock(4207100027) then
        return 0;
    end if;

    delete from figure_sum where unit = 'day' and begins < v_first;

    with line as (
        delete from figure_change
        where ctid = any (array(select c.ctid from figure_change c limit p_most))
        returning *
    ), net as (
        select
            street, community, category, urgency, lead, response, handling, finished_once, dispatches, misdirected,
            returns, reworks, reopenings, urges, urgings, orders, satisfaction, solved, registered_at,
            struck_off_at, published_at, settled_at,
            sum(sign)::integer as sign
        from line
        group by
            street, community, category, urgency, lead, response, handling, finished_once, dispatches, misdirected,
            returns, reworks, reopenings, urges, urgings, orders, satisfaction, solved, registered_at,
            struck_off_at, published_at, settled_at
        having sum(sign) <> 0
    ), counted as (
        select net.*, moment.basis, office_day(moment.at) as day
        from net
        cross join lateral (
            values ('registered', net.registered_at), ('settled', net.settled_at)
        ) as moment (basis, at)
        where moment.at is not null
    ), placed as (
        select c.*, side.*
        from counted c
        cross join lateral (
            values
                ('place', c.street, c.community, null, null, null),
                ('subject', null, null, c.lead, c.category, c.urgency)
        ) as side (part, of_street, of_community, of_lead, of_category, of_urgency)
    ), by_day as (
        select
            part, basis, day, of_street as street, of_community as community, of_lead as lead, of_category as category,
            of_urgency as urgency,
            coalesce(sum(sign), 0) as cases,
            coalesce(
                sum(sign) filter (where settled_at is null and handling <> 'ended' and response <> 'ended'), 0
            ) as standing,
            coalesce(sum(sign) filter (where response = 'in_time'), 0) as response_in_time,
            coalesce(sum(sign) filter (where response = 'late'), 0) as response_late,
            coalesce(sum(sign) filter (where response = 'overdue'), 0) as response_overdue,
            coalesce(sum(sign) filter (where response = 'missed'), 0) as response_missed,
            coalesce(sum(sign) filter (where response = 'open'), 0) as response_open,
            coalesce(sum(sign) filter (where response = 'not_dispatched'), 0) as response_not_dispatched,
            coalesce(sum(sign) filter (where response = 'on_the_spot'), 0) as response_on_the_spot,
            coalesce(sum(sign) filter (where response = 'ended'), 0) as response_ended,
            coalesce(sum(sign) filter (where response = 'no_limit'), 0) as response_no_limit,
            coalesce(sum(sign) filter (where handling = 'in_time'), 0) as handling_in_time,
            coalesce(sum(sign) filter (where handling = 'late'), 0) as handling_late,
            coalesce(sum(sign) filter (where handling = 'overdue'), 0) as handling_overdue,
            coalesce(sum(sign) filter (where handling = 'missed'), 0) as handling_missed,
            coalesce(sum(sign) filter (where handling = 'open'), 0) as handling_open,
            coalesce(sum(sign) filter (where handling = 'not_dispatched'), 0) as handling_not_dispatched,
            coalesce(sum(sign) filter (where handling = 'on_the_spot'), 0) as handling_on_the_spot,
            coalesce(sum(sign) filter (where handling = 'ended'), 0) as handling_ended,
            coalesce(sum(sign) filter (where handling = 'no_limit'), 0) as handling_no_limit,
            coalesce(sum(sign) filter (where solved), 0) as solved_yes,
            coalesce(sum(sign) filter (where not solved), 0) as solved_no,
            coalesce(sum(sign) filter (where satisfaction = 'very_satisfied'), 0) as very_satisfied,
            coalesce(sum(sign) filter (where satisfaction = 'satisfied'), 0) as satisfied,
            coalesce(sum(sign) filter (where satisfaction = 'fair'), 0) as fair,
            coalesce(sum(sign) filter (where satisfaction = 'dissatisfied'), 0) as dissatisfied,
            coalesce(sum(sign) filter (where satisfaction = 'very_dissatisfied'), 0) as very_dissatisfied,
            coalesce(sum(sign) filter (where finished_once), 0) as finished_once,
            coalesce(sum(sign) filter (where reworks = 0 and reopenings = 0), 0) as never_again,
            coalesce(sum(sign * dispatches), 0) as dispatches,
            coalesce(sum(sign * misdirected), 0) as misdirected,
            coalesce(sum(sign * returns), 0) as returns,
            coalesce(sum(sign * reworks), 0) as reworks,
            coalesce(sum(sign * urges), 0) as urges,
            coalesce(sum(sign * urgings), 0) as urgings,
            coalesce(sum(sign * orders), 0) as orders
        from placed
        group by part, basis, day, of_street, of_community, of_lead, of_category, of_urgency
    ), told as (
        select moment.basis, office_day(moment.at) as day, net.street, net.community, sum(net.sign) as cases
        from net
        cross join lateral (
            values ('struck_off', net.struck_off_at), ('published', net.published_at)
        ) as moment (basis, at)
        where moment.at is not null
        group by 1, 2, 3, 4
    ), told_by_unit as (
        select basis, 'day' as unit, day as begins, street, community, cases
        from told
        where day >= v_first
        union all
        select basis, 'month', date_trunc('month', day)::date, street, community, sum(cases)
        from told
        group by basis, date_trunc('month', day), street, community
    ), summed as (
        insert into figure_sum as s
        select
            part, basis, 'day', day, street, community, lead, category, urgency,
            cases, standing, response_in_time, response_late, response_overdue, response_missed, response_open,
            response_not_dispatched, response_on_the_spot, response_ended, response_no_limit, handling_in_time,
            handling_late, handling_overdue, handling_missed, handling_open, handling_not_dispatched,
            handling_on_the_spot, handling_ended, handling_no_limit, solved_yes, solved_no, very_satisfied,
            satisfied, fair, dissatisfied, very_dissatisfied, finished_once, never_again, dispatches, misdirected,
            returns, reworks, urges, urgings, orders
        from by_day
        where day >= v_first
        union all
        select
            part, basis, 'month', date_trunc('month', day)::date, street, community, lead, category, urgency,
            sum(cases), sum(standing), sum(response_in_time), sum(response_late), sum(response_overdue),
            sum(response_missed), sum(response_open), sum(response_not_dispatched), sum(response_on_the_spot),
            sum(response_ended), sum(response_no_limit), sum(handling_in_time), sum(handling_late),
            sum(handling_overdue), sum(handling_missed), sum(handling_open), sum(handling_not_dispatched),
            sum(handling_on_the_spot), sum(handling_ended), sum(handling_no_limit), sum(solved_yes), sum(solved_no),
            sum(very_satisfied), sum(satisfied), sum(fair), sum(dissatisfied), sum(very_dissatisfied),
            sum(finished_once), sum(never_again), sum(dispatches), sum(misdirected), sum(returns), sum(reworks),
            sum(urges), sum(urgings), sum(orders)
        from by_day
        group by part, basis, date_trunc('month', day), street, community, lead, category, urgency
        union all
        select
            'place', basis, unit, begins, street, community, null, null, null, cases,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        from told_by_unit
        where cases <> 0
        on conflict (part, basis, unit, begins, street, community, lead, category, urgency) do update set
            cases = s.cases + excluded.cases,
            standing = s.standing + excluded.standing,
            response_in_time = s.response_in_time + excluded.response_in_time,
            response_late = s.response_late + excluded.response_late,
            response_overdue = s.response_overdue + excluded.response_overdue,
            response_missed = s.response_missed + excluded.response_missed,
            response_open = s.response_open + excluded.response_open,
            response_not_dispatched = s.response_not_dispatched + excluded.response_not_dispatched,
            response_on_the_spot = s.response_on_the_spot + excluded.response_on_the_spot,
            response_ended = s.response_ended + excluded.response_ended,
            response_no_limit = s.response_no_limit + excluded.response_no_limit,
            handling_in_time = s.handling_in_time + excluded.handling_in_time,
            handling_late = s.handling_late + excluded.handling_late,
            handling_overdue = s.handling_overdue + excluded.handling_overdue,
            handling_missed = s.handling_missed + excluded.handling_missed,
            handling_open = s.handling_open + excluded.handling_open,
            handling_not_dispatched = s.handling_not_dispatched + excluded.handling_not_dispatched,
            handling_on_the_spot = s.handling_on_the_spot + excluded.handling_on_the_spot,
            handling_ended = s.handling_ended + excluded.handling_ended,
            handling_no_limit = s.handling_no_limit + excluded.handling_no_limit,
            solved_yes = s.solved_yes + excluded.solved_yes,
            solved_no = s.solved_no + excluded.solved_no,
            very_satisfied = s.very_satisfied + excluded.very_satisfied,
            satisfied = s.satisfied + excluded.satisfied,
            fair = s.fair + excluded.fair,
            dissatisfied = s.dissatisfied + excluded.dissatisfied,
            very_dissatisfied = s.very_dissatisfied + excluded.very_dissatisfied,
            finished_once = s.finished_once + excluded.finished_once,
            never_again = s.never_again + excluded.never_again,
            dispatches = s.dispatches + excluded.dispatches,
            misdirected = s.misdirected + excluded.misdirected,
            returns = s.returns + excluded.returns,
            reworks = s.reworks + excluded.reworks,
            urges = s.urges + excluded.urges,
            urgings = s.urgings + excluded.urgings,
            orders = s.orders + excluded.orders
    )
    select count(*) into v_figures from line;

    with line as (
        delete from open_change
        where ctid = any (array(select c.ctid from open_change c limit p_most))
        returning *
    ), summed as (
        insert into open_sum as s
        select side.part, side.code, side.light, side.due_on, sum(line.sign)
        from line
        cross join lateral (
            values
                ('community', line.community, line.light, null::date),
                ('lead', line.lead, line.light, null),
                ('due', null, null, line.due_on)
        ) as side (part, code, light, due_on)
        where side.part <> 'due' or side.due_on is not null
        group by 1, 2, 3, 4
        having sum(line.sign) <> 0
        on conflict (part, code, light, due_on) do update set cases = s.cases + excluded.cases
    )
    select count(*) into v_open from line;

    return greatest(v_figures, v_open);
end
$$;

-- Makes the lines of all there is, and no sums: those are folded afterwards.
create function figures_anew() returns void
language sql volatile security definer
set search_path = public, pg_temp
begin atomic
    delete from figure_change;
    delete from figure_sum;
    delete from open_change;
    delete from open_sum;
    insert into figure_change
    select
        1, street, community, category, urgency, lead, response, handling, finished_once, dispatches, misdirected,
        returns, reworks, reopenings, urges, urgings, orders, satisfaction, solved, registered_at, struck_off_at,
        published_at, settled_at, registered_month, settled_month
    from case_figure;
    insert into open_change
    select 1, community, lead, light, office_day(due_at) from case_row where not finished and settled_at is null;
end;

-- The triggers, and the lines of what there is already: some seconds for a million cases, in which acts wait. Folding
-- these lines is the business of the round, and nobody waits for it.
create trigger figure_new after insert or delete on case_figure
    for each row execute function figure_changed();
create trigger figure_changed after update on case_figure
    for each row
    when (old.* is distinct from new.*)
    execute function figure_changed();
create trigger figure_emptied after truncate on case_figure
    for each statement execute function figure_emptied();

create trigger open_new after insert or delete on case_row
    for each row execute function open_changed();
create trigger open_changed after update on case_row
    for each row
    when (
        (old.community, old.lead, old.light, old.due_at, old.finished, old.settled_at)
        is distinct from (new.community, new.lead, new.light, new.due_at, new.finished, new.settled_at)
    )
    execute function open_changed();
create trigger open_emptied after truncate on case_row
    for each statement execute function open_emptied();

select figures_anew();

grant select on figure_change, figure_sum, open_change, open_sum to bihuan_app;
revoke all on function figure_changed() from public;
revoke all on function figure_emptied() from public;
revoke all on function open_changed() from public;
revoke all on function open_emptied() from public;
revoke all on function figures_fold(integer) from public;
revoke all on function figures_anew() from public;
grant execute on function figures_fold(integer) to bihuan_app;
