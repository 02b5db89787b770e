-- A revision advances with every committed change of anything that an answer may
-- show: a customer's own with its claims, events, runs, uploads, settings and
-- mappings; the one of access with users, keys, sessions and the list of customers.
ALTER TABLE customer ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

CREATE TABLE access (
	id       BIGINT PRIMARY KEY, -- always 1
	revision BIGINT NOT NULL
);

INSERT INTO access (id, revision) VALUES (1, 1);

-- Zero is nobody's: it tells that there is no such customer.
UPDATE customer SET revision = 1;
