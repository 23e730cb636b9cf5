-- The short way into the log: one statement for an act whose sender knows the state the stream is in. It was decided
-- before the lock is taken, so everything the decision rested on is looked at again under the lock; when anything
-- of it has changed, nothing is written and the sender takes the long way (ledger_open, ledger_append).

create function ledger_record(
    p_stream text,
    p_process text,
    p_since integer,
    p_since_hash text,
    p_revision integer,
    p_rule_book text,
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
begin
    perform ledger_lock(p_stream);

    select e.seq, e.hash into v_seq, v_hash
    from event e
    where e.stream = p_stream
    order by e.seq desc
    limit 1;
    select coalesce(max(r.number), 0) into v_revision from registry_revision r;
    select c.version into v_rule_book from rule_book_choice c order by c.number desc limit 1;

    if coalesce(v_seq, 0) <> p_since
        or coalesce(v_hash, '') <> p_since_hash
        or v_revision <> p_revision
        or v_rule_book is distinct from p_rule_book
        or exists (select from command c where c.id = p_command)
    then
        return null;
    end if;
    return ledger_append(p_stream, p_process, p_since, p_command, p_digest, p_at, p_events, p_rows);
end
$$;

revoke all on function ledger_record(text, text, integer, text, integer, text, uuid, text, timestamptz, jsonb, jsonb)
    from public;
grant execute on function
    ledger_record(text, text, integer, text, integer, text, uuid, text, timestamptz, jsonb, jsonb)
    to bihuan_app;
