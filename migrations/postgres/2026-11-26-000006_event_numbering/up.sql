-- One entry in one index for an event, wherever it stands: until it has a position its place in line, from then on
-- its position. Each further index would be written to twice for each event, once as it is recorded, and once more
-- as it is numbered.
DROP INDEX events_unnumbered;
CREATE UNIQUE INDEX events_unnumbered ON events (id) WHERE position IS NULL;
ALTER TABLE events DROP CONSTRAINT events_pkey;

ALTER TABLE events DROP CONSTRAINT events_position_key;
CREATE UNIQUE INDEX events_position_key ON events (position) WHERE position IS NOT NULL;

-- Up to which id all events are numbered, or rolled back. What was drawn by the time of the transaction `drawn_by` is
-- so once no transaction is under way that is older.
ALTER TABLE event_counter
    ADD COLUMN settled  bigint NOT NULL DEFAULT 0,
    ADD COLUMN drawn    bigint NOT NULL DEFAULT 0,
    ADD COLUMN drawn_by xid8   NOT NULL DEFAULT '0';
