-- One text for both engines: a line that ends in "-- sqlite" or "-- postgres"
-- is for that engine alone, and BLOB is read as BYTEA on PostgreSQL.
-- Dates are days since 1970-01-01, instants microseconds since then, money cents.

CREATE TABLE customer (
	id           BIGINT PRIMARY KEY,
	name         TEXT   NOT NULL UNIQUE,
	created_at   BIGINT NOT NULL,
	claims       BIGINT NOT NULL DEFAULT 0,
	last_claim   BIGINT NOT NULL DEFAULT 0,
	data_version BIGINT NOT NULL DEFAULT 0
);

-- Everything that repeats in claims, as small integers: payers, CPT groups,
-- procedure codes, modifiers, places of service, locations, CARCs and RARCs.
CREATE TABLE term (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	kind        BIGINT NOT NULL,
	id          BIGINT NOT NULL,
	value       TEXT   NOT NULL,
	PRIMARY KEY (customer_id, kind, id),
	UNIQUE (customer_id, kind, value)
);

-- An upload is its bytes: loading them again continues or repeats nothing.
-- checkpoint is the last row whose fate is committed.
CREATE TABLE upload (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	id          BIGINT NOT NULL,
	sha256      TEXT   NOT NULL,
	filename    TEXT   NOT NULL,
	status      TEXT   NOT NULL,
	file_date   BIGINT NOT NULL,
	checkpoint  BIGINT NOT NULL DEFAULT 0,
	rows_read   BIGINT NOT NULL DEFAULT 0,
	inserted    BIGINT NOT NULL DEFAULT 0,
	updated     BIGINT NOT NULL DEFAULT 0,
	unchanged   BIGINT NOT NULL DEFAULT 0,
	rejected    BIGINT NOT NULL DEFAULT 0,
	date_min    BIGINT NOT NULL DEFAULT 0,
	date_max    BIGINT NOT NULL DEFAULT 0,
	error       TEXT   NOT NULL DEFAULT '',
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (customer_id, id),
	UNIQUE (customer_id, sha256)
);

CREATE TABLE upload_reject (
	customer_id BIGINT NOT NULL,
	upload_id   BIGINT NOT NULL,
	row_number  BIGINT NOT NULL,
	column_name TEXT   NOT NULL,
	value_class TEXT   NOT NULL,
	reason      TEXT   NOT NULL,
	PRIMARY KEY (customer_id, upload_id, row_number),
	FOREIGN KEY (customer_id, upload_id) REFERENCES upload (customer_id, id)
);

-- id is customer_id << 40 | the claim's number in its customer, so that SQLite's
-- rowid is the primary key, begins with the customer and only ever appends.
CREATE TABLE claim (
	id                   INTEGER PRIMARY KEY, -- sqlite
	id                   BIGINT NOT NULL, -- postgres
	customer_id          BIGINT NOT NULL,
	claim_id             TEXT   NOT NULL,
	line                 BIGINT NOT NULL,
	filing               BIGINT NOT NULL,
	payer_id             BIGINT NOT NULL,
	code_id              BIGINT NOT NULL,
	modifiers_id         BIGINT NOT NULL,
	units                BIGINT NOT NULL,
	place_id             BIGINT NOT NULL,
	location_id          BIGINT NOT NULL,
	service_date         BIGINT,
	submitted_date       BIGINT NOT NULL,
	received_date        BIGINT,
	first_decided_date   BIGINT,
	decided_date         BIGINT,
	payment_date         BIGINT,
	outcome              BIGINT NOT NULL,
	first_outcome        BIGINT NOT NULL,
	billed               BIGINT NOT NULL,
	allowed              BIGINT NOT NULL,
	paid                 BIGINT NOT NULL,
	carc_id              BIGINT NOT NULL,
	rarc_id              BIGINT NOT NULL,
	payer_control_number TEXT   NOT NULL,
	upload_id            BIGINT NOT NULL,
	row_number           BIGINT NOT NULL
	, PRIMARY KEY (customer_id, id) -- postgres
);

CREATE UNIQUE INDEX claim_key ON claim (customer_id, claim_id, line);
-- First denials (outcome 3) alone, a tenth of the claims: the evidence of drift events.
-- code_id lets a search for one CPT group pass over the others inside the index.
CREATE INDEX claim_denied ON claim (customer_id, payer_id, first_decided_date, id, code_id) WHERE first_outcome = 3;

-- Rollups: see rollup.go for the format of cells.
CREATE TABLE rollup_segment (
	customer_id BIGINT NOT NULL,
	id          BIGINT NOT NULL,
	cells       BLOB   NOT NULL,
	PRIMARY KEY (customer_id, id)
);

CREATE TABLE rollup_day (
	customer_id BIGINT NOT NULL,
	day         BIGINT NOT NULL,
	cells       BLOB   NOT NULL,
	PRIMARY KEY (customer_id, day)
);

CREATE TABLE rollup_series (
	customer_id BIGINT NOT NULL,
	period      BIGINT NOT NULL,
	cells       BLOB   NOT NULL,
	PRIMARY KEY (customer_id, period)
);
