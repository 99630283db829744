-- What happened, written and numbered in the transaction that made it happen: there is one writer at a
-- time, so the order of writes is the order of commits.
CREATE TABLE events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL CHECK (length(event_id) = 16),
    type     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    -- The entity's row as the change left it, as JSON. What others are told is rendered from it when it is
    -- read.
    data     TEXT NOT NULL CHECK (json_valid(data)),
    time     INTEGER NOT NULL,
    -- Where the event stands in the feed.
    position INTEGER NOT NULL CHECK (position >= 1),
    CONSTRAINT events_position_key UNIQUE (position)
) STRICT;

-- The last position that was given. It is a row of its own, so that it outlives the events.
CREATE TABLE event_counter (
    id   INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    last INTEGER NOT NULL CHECK (last >= 0)
) STRICT;

INSERT INTO event_counter (last) VALUES (0);
