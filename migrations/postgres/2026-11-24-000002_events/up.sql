-- What happened, written in the transaction that made it happen. The ids of one entity's events are in
-- the order of its versions, as each is drawn under the lock of the entity's row.
CREATE TABLE events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    type     text NOT NULL,
    subject  text NOT NULL,
    -- The entity's row as the change left it. What others are told is rendered from it when it is read.
    data     json NOT NULL,
    time     timestamptz NOT NULL,
    -- Where the event stands in the feed; none until its transaction is committed and it is numbered.
    position bigint CONSTRAINT events_position_key UNIQUE CHECK (position >= 1)
);

-- What is yet to be numbered.
CREATE INDEX events_unnumbered ON events (id) WHERE position IS NULL;

-- The last position that was given. It is a row of its own, so that it outlives the events, and whoever
-- gives positions locks it first.
CREATE TABLE event_counter (
    id   smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    last bigint NOT NULL CHECK (last >= 0)
) WITH (fillfactor = 10);

INSERT INTO event_counter (last) VALUES (0);
