CREATE TABLE report_run (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	id          BIGINT NOT NULL,
	run_type    TEXT   NOT NULL,
	status      TEXT   NOT NULL,
	detector    TEXT   NOT NULL,
	as_of       BIGINT NOT NULL,
	started_at  BIGINT NOT NULL,
	finished_at BIGINT NOT NULL,
	event_count BIGINT NOT NULL,
	summary     TEXT   NOT NULL,
	error       TEXT   NOT NULL,
	PRIMARY KEY (customer_id, id)
);

-- One row a story: a run that tells it again updates the row. evidence is the
-- event as JSON; the columns are what stories are matched and listed by.
-- told_through is the last as-of date on which a run told it.
CREATE TABLE drift_event (
	customer_id   BIGINT NOT NULL,
	id            BIGINT NOT NULL,
	detector      TEXT   NOT NULL,
	signal        TEXT   NOT NULL,
	level         TEXT   NOT NULL,
	payer         TEXT   NOT NULL,
	cpt_group     TEXT   NOT NULL,
	direction     TEXT   NOT NULL,
	tier          TEXT   NOT NULL,
	status        TEXT   NOT NULL,
	change_low    BIGINT NOT NULL,
	told_through  BIGINT NOT NULL,
	known_at      BIGINT NOT NULL,
	report_run_id BIGINT NOT NULL,
	created_at    BIGINT NOT NULL,
	evidence      TEXT   NOT NULL,
	PRIMARY KEY (customer_id, id),
	FOREIGN KEY (customer_id, report_run_id) REFERENCES report_run (customer_id, id)
);

CREATE INDEX drift_event_story ON drift_event (customer_id, detector, signal, payer, cpt_group);
