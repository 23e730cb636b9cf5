-- An append is announced to nobody any more. Announcing made every commit wait for the one before it, its flush to disk
-- included, and woke every listening process of the database; who shows news looks once a second (ledger.log.look).

create or replace function ledger_append(
    p_stream text,
    p_process text,
    p_expected integer,
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
    v_prev text;
    v_tx xid8;
    v_event jsonb;
    v_at timestamptz;
    v_state text;
begin
    perform ledger_lock(p_stream);

    select e.seq, e.hash, e.tx into v_seq, v_hash, v_tx
    from event e
    where e.stream = p_stream
    order by e.seq desc
    limit 1;
    v_seq := coalesce(v_seq, 0);
    v_hash := coalesce(v_hash, '');

    if v_seq <> p_expected then
        v_state := case when v_seq > p_expected then 'BH001' else 'BH002' end;
        raise exception using
            errcode = v_state,
            message = format('stream %s is %s: expected %s, found %s', p_stream,
                             case v_state when 'BH001' then 'ahead' else 'behind' end, p_expected, v_seq),
            detail = jsonb_build_object('stream', p_stream, 'expected', p_expected, 'actual', v_seq)::text;
    end if;

    -- The feed orders by transaction. A transaction that wrote something else before it waited for this stream may
    -- carry a lower number than the head it follows; it must begin anew. (A number this server has not given out
    -- yet came with a restored copy and says nothing.)
    if v_tx > pg_current_xact_id() and v_tx < pg_snapshot_xmax(pg_current_snapshot()) then
        raise exception using
            errcode = '40001',
            message = format('transaction is older than the head of stream %s: append before other writes', p_stream);
    end if;

    for v_event in select value from jsonb_array_elements(p_events) with ordinality order by ordinality loop
        v_seq := v_seq + 1;
        v_prev := v_hash;
        v_at := (v_event ->> 'at')::timestamptz;
        v_hash := encode(sha256(convert_to(concat_ws(
            E'\n',
            v_prev,
            p_stream,
            v_seq::text,
            (v_event ->> 'id')::uuid::text,
            v_event ->> 'kind',
            to_char(v_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            v_event ->> 'actor',
            p_command::text,
            v_event ->> 'canon'
        ), 'UTF8')), 'hex');
        insert into event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)
        values (
            p_stream, v_seq, (v_event ->> 'id')::uuid, v_event ->> 'kind', v_at, v_event ->> 'actor', p_command,
            (v_event ->> 'canon')::jsonb, v_prev, v_hash
        );
    end loop;

    insert into command (id, stream, process, digest, seq_from, seq_to, at)
    values (p_command, p_stream, p_process, p_digest, p_expected + 1, v_seq, p_at);

    perform ledger_rows(p_rows);
    return v_hash;
end
$$;
