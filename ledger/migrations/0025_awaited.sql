-- The next light of every running clock: what is past and was never said, a worker finds without reading the whole table.
create index clock_awaited on clock (least(due_at, case when warned_at is null then warn_at end))
    where stopped_at is null and overdue_at is null;
create index wish_awaited on wish (lapses_at) where not finished;
