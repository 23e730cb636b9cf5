-- Chinese search.
select 1;
