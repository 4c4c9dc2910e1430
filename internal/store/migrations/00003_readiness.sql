-- What is written to find out whether anything can be.

-- +goose Up
CREATE TABLE readiness (
    tried BIGINT NOT NULL
);
INSERT INTO readiness (tried) VALUES (0);

-- +goose Down
DROP TABLE readiness;
