-- Writes that were done, so that a repeat does nothing: of requests by their `Idempotency-Key`, and of
-- inbound events by their source and id.
CREATE TABLE receipts (
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    -- A SHA-256 of what was asked.
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- The entity's row as the write left it, as JSON; none where the write changed nothing.
    outcome     TEXT CHECK (json_valid(outcome)),
    recorded_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- Receipts are pruned by age.
CREATE INDEX receipts_expires_at ON receipts (expires_at);
