-- Writes that were done, so that a repeat does nothing: of requests by their `Idempotency-Key`, and of
-- inbound events by their source and id.
CREATE TABLE receipts (
    scope       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    -- A SHA-256 of what was asked.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- The entity's row as the write left it; none where the write changed nothing.
    outcome     json,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

-- Receipts are pruned by age.
CREATE INDEX receipts_expires_at ON receipts (expires_at);
