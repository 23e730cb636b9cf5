-- The security log: who came in, who was refused, what was taken out, who changed rights and rules. One chain of its own
-- beside the streams of the cases, written through one function and cut only at the old end, never below 200 days.

create table security_log (
    id bigint not null,
    at timestamptz not null,
    kind text collate "C" not null,
    actor text collate "C" not null,
    outcome text collate "C" not null,
    place text collate "C" not null,
    source text collate "C" not null,
    subject text collate "C" not null,
    detail jsonb not null,
    prev text collate "C" not null,
    hash text collate "C" not null,
    constraint security_log_pkey primary key (id),
    constraint security_log_id check (id > 0),
    constraint security_log_kind check (kind ~ '^[a-z_]{1,40}$'),
    constraint security_log_outcome check (outcome in ('ok', 'refused')),
    constraint security_log_detail check (jsonb_typeof(detail) = 'object' and length(detail::text) <= 4000),
    -- The hashed text joins its parts by line ends, so no part may contain one.
    constraint security_log_one_line check (
        actor ~ '^[^\x01-\x1f]{1,100}$' and place ~ '^[^\x01-\x1f]{1,200}$'
        and source ~ '^[^\x01-\x1f]{1,60}$' and subject ~ '^[^\x01-\x1f]{1,200}$'
    )
);

create index security_log_kind_id on security_log (kind, id desc);
create index security_log_actor_id on security_log (actor, id desc);
create index security_log_subject_id on security_log (subject, id desc);
create index security_log_at on security_log (at);

-- How often something was refused in an hour, beyond the lines it got in the log (see security_refused). Operational
-- state: what it counted becomes a line of the log when the hour is over.
create table security_tally (
    hour timestamptz not null,
    digest bytea not null,
    kind text collate "C" not null,
    actor text collate "C" not null,
    place text collate "C" not null,
    source text collate "C" not null,
    subject text collate "C" not null,
    detail jsonb not null,
    lines integer not null default 0,
    repeated bigint not null default 0,
    constraint security_tally_pkey primary key (hour, digest)
);

create index security_tally_actor on security_tally (hour, actor);

-- Lines go only from the old end, when they are older than 200 days and a line of the log itself says up to where they
-- went and with which hash: the first line that stays is checked against that.
create function security_refuse_change() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_op = 'DELETE' then
        if old.at < now() - interval '200 days' and exists (
            select from security_log cut where cut.kind = 'log_cut' and (cut.detail ->> 'through')::bigint >= old.id
        ) then
            return old;
        end if;
    end if;
    raise exception using
        errcode = 'BH009',
        message = format('table %s is append-only: %s refused', tg_table_name, lower(tg_op)),
        hint = 'old lines go by bihuan security cut';
end
$$;

create trigger security_log_no_change before update or delete on security_log
    for each row execute function security_refuse_change();
create trigger security_log_no_truncate before truncate on security_log
    for each statement execute function security_refuse_change();
alter table security_log enable always trigger security_log_no_change;
alter table security_log enable always trigger security_log_no_truncate;

-- The lock is held until the transaction ends, so whoever records does it as the last step of what is recorded.
create function security_append(
    p_at timestamptz,
    p_kind text,
    p_actor text,
    p_outcome text,
    p_place text,
    p_source text,
    p_subject text,
    p_detail text
) returns bigint
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    v_id bigint;
    v_prev text;
    v_hash text;
begin
    perform ledger_lock('security');
    select l.id, l.hash into v_id, v_prev from security_log l order by l.id desc limit 1;
    v_id := coalesce(v_id, 0) + 1;
    v_prev := coalesce(v_prev, '');
    v_hash := encode(sha256(convert_to(concat_ws(
        E'\n',
        v_prev,
        v_id::text,
        to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        p_kind,
        p_actor,
        p_outcome,
        p_place,
        p_source,
        p_subject,
        p_detail
    ), 'UTF8')), 'hex');
    insert into security_log (id, at, kind, actor, outcome, place, source, subject, detail, prev, hash)
    values (v_id, p_at, p_kind, p_actor, p_outcome, p_place, p_source, p_subject, p_detail::jsonb, v_prev, v_hash);
    return v_id;
end
$$;

-- What was only counted in hours that are over becomes a line each; returns how many.
create function security_settle(p_at timestamptz) returns integer
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    v_row security_tally%rowtype;
    v_hour text;
    v_count integer := 0;
begin
    perform ledger_lock('security');
    for v_row in
        delete from security_tally where hour < date_trunc('hour', p_at, 'UTC') returning *
    loop
        if v_row.repeated > 0 then
            v_hour := to_char(v_row.hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24"Z"');
            perform security_append(
                p_at, v_row.kind, v_row.actor, 'refused', v_row.place, v_row.source, v_row.subject,
                (
                    -- The canonical text: names in order, no blanks.
                    select '{' || string_agg(
                        to_jsonb(d.key)::text || ':' || d.value::text, ',' order by d.key collate "C"
                    ) || '}'
                    from jsonb_each(v_row.detail || jsonb_build_object('hour', v_hour, 'repeated', v_row.repeated)) d
                )
            );
            v_count := v_count + 1;
        end if;
    end loop;
    return v_count;
end
$$;

-- A refusal anybody may cause as often as they like. In an hour the same refusal (kind, actor, place, source, subject)
-- gets p_each lines, and one actor p_all lines; strangers, whose actor is '-', are one actor. Whatever is beyond is
-- counted: under the refusal where it has a line, else as one number for its kind. Returns the line, null where it was
-- counted.
create function security_refused(
    p_at timestamptz,
    p_kind text,
    p_actor text,
    p_place text,
    p_source text,
    p_subject text,
    p_detail text,
    p_each integer,
    p_all integer
) returns bigint
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    v_hour timestamptz := date_trunc('hour', p_at, 'UTC');
    v_digest bytea := sha256(convert_to(concat_ws(E'\n', p_kind, p_actor, p_place, p_source, p_subject), 'UTF8'));
    v_lines integer;
    v_all bigint;
begin
    perform ledger_lock('security');
    perform security_settle(p_at);
    select t.lines into v_lines from security_tally t where t.hour = v_hour and t.digest = v_digest;
    if coalesce(v_lines, 0) < p_each then
        select coalesce(sum(t.lines), 0) into v_all from security_tally t where t.hour = v_hour and t.actor = p_actor;
        if v_all < p_all then
            insert into security_tally (hour, digest, kind, actor, place, source, subject, detail, lines)
            values (v_hour, v_digest, p_kind, p_actor, p_place, p_source, p_subject, p_detail::jsonb, 1)
            on conflict (hour, digest) do update set lines = security_tally.lines + 1;
            return security_append(p_at, p_kind, p_actor, 'refused', p_place, p_source, p_subject, p_detail);
        end if;
    end if;
    if v_lines is null then
        v_digest := sha256(convert_to(concat_ws(E'\n', p_kind, p_actor), 'UTF8'));
        insert into security_tally (hour, digest, kind, actor, place, source, subject, detail, repeated)
        values (v_hour, v_digest, p_kind, p_actor, '-', '-', '-', '{}', 1)
        on conflict (hour, digest) do update set repeated = security_tally.repeated + 1;
    else
        update security_tally set repeated = repeated + 1 where hour = v_hour and digest = v_digest;
    end if;
    return null;
end
$$;

-- Let go of lines older than p_keep, at most p_most of them, and say so in a line of the log; returns how many went.
create function security_cut(p_actor text, p_place text, p_keep interval, p_most integer) returns bigint
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    v_first bigint;
    v_through bigint;
    v_hash text;
begin
    if now() - p_keep > now() - interval '200 days' then
        raise exception using errcode = 'BH010', message = 'the security log is kept for 200 days at least';
    end if;
    perform ledger_lock('security');
    select min(l.id) into v_first from security_log l;
    -- All that stand before the first young line; where all are old the last one stays, the chain goes on from it.
    select min(l.id) - 1 into v_through from security_log l where l.at >= now() - p_keep;
    v_through := least(
        coalesce(v_through, (select max(l.id) - 1 from security_log l)), v_first + p_most - 1
    );
    if v_first is null or v_through < v_first then
        return 0;
    end if;
    select l.hash into v_hash from security_log l where l.id = v_through;
    perform security_append(
        now(), 'log_cut', p_actor, 'ok', p_place, '-', '-',
        format('{"hash":"%s","lines":%s,"through":%s}', v_hash, v_through - v_first + 1, v_through)
    );
    delete from security_log where id <= v_through;
    return v_through - v_first + 1;
end
$$;

revoke all on function security_refuse_change() from public;
revoke all on function security_append(timestamptz, text, text, text, text, text, text, text) from public;
revoke all on function security_settle(timestamptz) from public;
revoke all on function
    security_refused(timestamptz, text, text, text, text, text, text, integer, integer) from public;
revoke all on function security_cut(text, text, interval, integer) from public;
grant execute on function security_append(timestamptz, text, text, text, text, text, text, text) to bihuan_app;
grant execute on function security_settle(timestamptz) to bihuan_app;
grant execute on function
    security_refused(timestamptz, text, text, text, text, text, text, integer, integer) to bihuan_app;
grant execute on function security_cut(text, text, interval, integer) to bihuan_app;

-- What was written down of accounts until now goes on here, in its order. The old table stays for consoles of the
-- version before, which may still be running; nothing reads it any more.
do $$
declare
    v_row record;
    v_refused boolean;
begin
    for v_row in select * from access_record order by id loop
        v_refused := v_row.kind in ('refused_password', 'refused_disabled');
        perform security_append(
            v_row.at,
            case when v_refused or v_row.kind in ('signed_in', 'signed_in_by_provider') then 'sign_in'
                 when v_row.kind = 'signed_out' then 'sign_out'
                 else v_row.kind end,
            coalesce(v_row.by_person, '-'),
            case when v_refused then 'refused' else 'ok' end,
            '-',
            '-',
            coalesce(v_row.login, '-'),
            case v_row.kind
                when 'refused_password' then '{"code":"access.wrong_credentials"}'
                when 'refused_disabled' then '{"code":"access.disabled"}'
                when 'signed_in_by_provider' then '{"by":"provider"}'
                else case when v_row.note is null then '{}' else format('{"token":"%s"}', v_row.note) end
            end
        );
    end loop;
end
$$;
