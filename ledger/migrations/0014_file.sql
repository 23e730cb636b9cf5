-- Photographs and documents.
select 1;
