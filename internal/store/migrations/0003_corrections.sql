-- What a claim's current state doesn't show of its past: what its first decision
-- said where that differs, and when it was reversed and repaid. Most claims are
-- never corrected and have no row here. first_carc_id and first_rarc_id are terms.
CREATE TABLE claim_past (
	id                 INTEGER PRIMARY KEY, -- sqlite
	id                 BIGINT NOT NULL, -- postgres
	customer_id        BIGINT NOT NULL,
	first_allowed      BIGINT NOT NULL,
	first_carc_id      BIGINT NOT NULL,
	first_rarc_id      BIGINT NOT NULL,
	first_payment_date BIGINT NOT NULL,
	reversed_date      BIGINT NOT NULL,
	repaid_date        BIGINT NOT NULL
	, PRIMARY KEY (customer_id, id) -- postgres
);

-- All kinds of rollups in two tables: see rollup.go. They are made again from the
-- claims when the database is opened, for every customer whose rollup_format is
-- not the program's.
DROP TABLE rollup_segment;
DROP TABLE rollup_day;
DROP TABLE rollup_series;

CREATE TABLE rollup_segment (
	customer_id BIGINT NOT NULL,
	kind        BIGINT NOT NULL,
	id          BIGINT NOT NULL,
	cells       BLOB   NOT NULL,
	PRIMARY KEY (customer_id, kind, id)
);

CREATE TABLE rollup (
	customer_id BIGINT NOT NULL,
	kind        BIGINT NOT NULL,
	part        BIGINT NOT NULL,
	period      BIGINT NOT NULL,
	cells       BLOB   NOT NULL,
	PRIMARY KEY (customer_id, kind, part, period)
);

ALTER TABLE customer ADD COLUMN rollup_format BIGINT NOT NULL DEFAULT 0;
