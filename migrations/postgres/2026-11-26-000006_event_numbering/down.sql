ALTER TABLE event_counter DROP COLUMN settled, DROP COLUMN drawn, DROP COLUMN drawn_by;

DROP INDEX events_position_key;
ALTER TABLE events ADD CONSTRAINT events_position_key UNIQUE (position);

ALTER TABLE events ADD PRIMARY KEY (id);
DROP INDEX events_unnumbered;
CREATE INDEX events_unnumbered ON events (id) WHERE position IS NULL;
