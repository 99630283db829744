-- How far events were told to others: all up to this position were published, or set aside. Whoever publishes
-- holds an advisory lock meanwhile.
CREATE TABLE event_mark (
    id        smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    published bigint NOT NULL CHECK (published >= 0)
) WITH (fillfactor = 10);

INSERT INTO event_mark (published) VALUES (0);

-- Events that the broker refused for good, and so are not told to others.
CREATE TABLE events_set_aside (
    position     bigint PRIMARY KEY,
    reason       text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now()
);
