-- Whoever publishes this table to subscribers, as for a move to another server, has to say by what its rows are told
-- apart: no index of it has them all. Without that the server refuses to number events, and to forget them.
ALTER TABLE events REPLICA IDENTITY FULL;
