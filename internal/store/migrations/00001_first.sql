-- Times are microseconds since 1970, UTC; 0 stands for no time. The SQL is kept to what SQLite and PostgreSQL share.

-- +goose Up
CREATE TABLE requests (
    id      TEXT PRIMARY KEY,
    digest  TEXT NOT NULL,
    subject TEXT NOT NULL,
    person  TEXT NOT NULL,
    target  TEXT NOT NULL,
    state   TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT NOT NULL -- the request as JSON
);
CREATE UNIQUE INDEX requests_live ON requests (digest) WHERE state IN ('open', 'approved');
CREATE INDEX requests_due ON requests (expires) WHERE state IN ('open', 'approved');
CREATE INDEX requests_by_subject ON requests (subject, state);
CREATE INDEX requests_by_time ON requests (created);

CREATE TABLE revoked_tokens (
    jti         TEXT PRIMARY KEY,
    valid_until BIGINT NOT NULL
);

CREATE TABLE suspensions (
    who    TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    since  BIGINT NOT NULL
);

CREATE TABLE secrets (
    name     TEXT PRIMARY KEY,
    verifier TEXT NOT NULL, -- what a SCRAM server keeps, as JSON; the password is not among it
    subject  TEXT NOT NULL, -- JSON
    expires  BIGINT NOT NULL
);

CREATE TABLE sessions (
    id          TEXT PRIMARY KEY,
    gateway     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    person      TEXT NOT NULL,
    target      TEXT NOT NULL,
    client      TEXT NOT NULL,
    channel     TEXT NOT NULL,
    program     TEXT NOT NULL,
    opened      BIGINT NOT NULL,
    closed      BIGINT NOT NULL,
    first_seq   BIGINT NOT NULL,
    last_seq    BIGINT NOT NULL,
    request_count BIGINT NOT NULL,
    row_count   BIGINT NOT NULL,
    byte_count  BIGINT NOT NULL,
    cause       TEXT NOT NULL,
    body        TEXT NOT NULL -- the subject as JSON
);
CREATE INDEX sessions_by_time ON sessions (opened);
CREATE INDEX sessions_by_subject ON sessions (subject, opened);
CREATE INDEX sessions_by_target ON sessions (target, opened);
CREATE INDEX sessions_open ON sessions (gateway) WHERE closed = 0;

CREATE TABLE identities (
    subject       TEXT PRIMARY KEY,
    person        TEXT NOT NULL,
    first_seen    BIGINT NOT NULL,
    last_seen     BIGINT NOT NULL,
    session_count BIGINT NOT NULL,
    request_count BIGINT NOT NULL,
    row_count     BIGINT NOT NULL,
    client        TEXT NOT NULL, -- as last seen
    target        TEXT NOT NULL, -- as last seen
    body          TEXT NOT NULL  -- the subject as last seen, as JSON
);
CREATE INDEX identities_by_time ON identities (last_seen);
CREATE INDEX identities_by_person ON identities (person);

-- +goose Down
DROP TABLE identities;
DROP TABLE sessions;
DROP TABLE secrets;
DROP TABLE suspensions;
DROP TABLE revoked_tokens;
DROP TABLE requests;
