-- The rungs of the supervision ladder that clocks still running have reached: few of very many.
create index clock_rungs on clock (stream) where stopped_at is null and cardinality(reached) > 0;
