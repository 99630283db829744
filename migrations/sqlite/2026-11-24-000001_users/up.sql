-- Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    email      TEXT NOT NULL CHECK (length(email) BETWEEN 1 AND 254),
    name       TEXT NOT NULL CHECK (length(name) BETWEEN 2 AND 200),
    -- The name as searches compare it. Text is compared byte by byte, which in UTF-8 is the order of code
    -- points, so a prefix is a half-open range that the index below serves.
    name_key   TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    version    INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    CONSTRAINT users_email_key UNIQUE (email),
    CHECK (updated_at >= created_at)
) STRICT;

CREATE INDEX users_name_key_id ON users (name_key, id);
