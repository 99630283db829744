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
