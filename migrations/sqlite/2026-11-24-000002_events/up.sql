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

-- How far events were told to others: all up to this position were published, or set aside. Whoever publishes
-- holds a lock on a file beside this one meanwhile.
CREATE TABLE event_mark (
    id        INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    published INTEGER NOT NULL CHECK (published >= 0)
) STRICT;

INSERT INTO event_mark (published) VALUES (0);

-- Events that the broker refused for good, and so are not told to others.
CREATE TABLE events_set_aside (
    position     INTEGER PRIMARY KEY,
    reason       TEXT NOT NULL,
    set_aside_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))
) STRICT;
