-- Whose secret it is, to bound how many one subject has. Those made before have no holder and are not counted; they end within a day.

-- +goose Up
ALTER TABLE secrets ADD COLUMN holder TEXT NOT NULL DEFAULT '';
CREATE INDEX secrets_by_holder ON secrets (holder, expires);

-- +goose Down
DROP INDEX secrets_by_holder;
ALTER TABLE secrets DROP COLUMN holder;
