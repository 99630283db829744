CREATE TABLE users (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      text COLLATE "C" NOT NULL CONSTRAINT users_email_key UNIQUE
               CHECK (char_length(email) BETWEEN 1 AND 254),
    name       text NOT NULL CHECK (char_length(name) BETWEEN 2 AND 200),
    -- The name as searches compare it. In the collation "C" the order is that of code points, so a
    -- prefix is a half-open range that the index below serves, also in a prepared statement.
    name_key   text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    CHECK (updated_at >= created_at)
);

CREATE INDEX users_name_key_id ON users (name_key, id);
