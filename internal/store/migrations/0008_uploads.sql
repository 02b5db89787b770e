-- The bytes of uploads, until they are loaded, so that any server can load them:
-- parts of a mebibyte, each compressed by itself. seen_at is when the last one came.
CREATE TABLE upload_body (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	id          BIGINT NOT NULL,
	seen_at     BIGINT NOT NULL,
	PRIMARY KEY (customer_id, id)
);

CREATE TABLE upload_part (
	customer_id BIGINT NOT NULL,
	body_id     BIGINT NOT NULL,
	part        BIGINT NOT NULL,
	bytes       BLOB   NOT NULL,
	PRIMARY KEY (customer_id, body_id, part),
	FOREIGN KEY (customer_id, body_id) REFERENCES upload_body (customer_id, id)
);

-- Uploads and report runs that jobs carry to their end: see work.go. turn counts how
-- often one was given to a job, lost how often its job died, seen_at is the last sign
-- of life of the job that is at it: 0 while none is. body names the bytes of an upload, 0 when none are kept.
ALTER TABLE upload ADD COLUMN body BIGINT NOT NULL DEFAULT 0;
ALTER TABLE upload ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE upload ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE upload ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX upload_work ON upload (customer_id, id) WHERE body <> 0;

ALTER TABLE report_run ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE report_run ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE report_run ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX report_run_work ON report_run (customer_id, id) WHERE status = 'running';

-- A run that was asked for has its id before it is evaluated; saved counts the runs
-- of a customer in the order in which they were saved, 0 before. request names what
-- asked for a run, at most once: '' for a person.
ALTER TABLE report_run ADD COLUMN saved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE report_run ADD COLUMN request TEXT NOT NULL DEFAULT '';
UPDATE report_run SET saved = id;
CREATE UNIQUE INDEX report_run_request ON report_run (customer_id, request) WHERE request <> '';
