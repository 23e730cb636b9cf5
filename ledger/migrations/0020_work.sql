-- Open tasks of a role that lie nowhere yet: few, and asked for by everybody who holds the role.
create index task_inbox_nowhere on task
    (role, coalesce(due_at, 'infinity'::timestamptz), stream, id)
    where closed_at is null and organisation is null and grid is null and person is null;
