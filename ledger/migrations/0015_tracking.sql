-- Residents' tracking codes.
select 1;
