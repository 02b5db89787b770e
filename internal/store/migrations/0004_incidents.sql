-- drift_event.evidence is an incident as it stands now. drift_event_told is how the
-- last run as of a day left it, so that an evaluation as of a day can start from
-- what was told before that day, whatever came later.
CREATE TABLE drift_event_told (
	customer_id BIGINT NOT NULL,
	event_id    BIGINT NOT NULL,
	as_of       BIGINT NOT NULL,
	evidence    TEXT   NOT NULL,
	PRIMARY KEY (customer_id, event_id, as_of),
	FOREIGN KEY (customer_id, event_id) REFERENCES drift_event (customer_id, id)
);

INSERT INTO drift_event_told (customer_id, event_id, as_of, evidence)
	SELECT customer_id, id, told_through, evidence FROM drift_event;

-- What was done with an incident, by a run or by a person: rows are only added.
CREATE TABLE drift_event_history (
	customer_id   BIGINT NOT NULL,
	event_id      BIGINT NOT NULL,
	id            BIGINT NOT NULL,
	made_at       BIGINT NOT NULL,
	who           TEXT   NOT NULL,
	report_run_id BIGINT NOT NULL,
	status        TEXT   NOT NULL,
	resolution    TEXT   NOT NULL,
	owner         TEXT   NOT NULL,
	note          TEXT   NOT NULL,
	PRIMARY KEY (customer_id, event_id, id),
	FOREIGN KEY (customer_id, event_id) REFERENCES drift_event (customer_id, id)
);

DROP INDEX drift_event_story;
