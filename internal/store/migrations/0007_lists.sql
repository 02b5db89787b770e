-- What lists of claims are walked by: docs/adr/0002 tells why each column is there.
-- Those after id let a filter pass over claims inside the index.
CREATE INDEX claim_decided ON claim (customer_id, decided_date, id, outcome, code_id, carc_id, location_id);
CREATE INDEX claim_submitted ON claim (customer_id, submitted_date, id, payer_id, outcome);
CREATE INDEX claim_payer ON claim (customer_id, payer_id, decided_date, id, outcome);

-- A search finds the claims whose claim id begins with a text: by bytes, as SQLite
-- compares, not by the rules of a language.
ALTER TABLE claim ALTER COLUMN claim_id TYPE TEXT COLLATE "C"; -- postgres

-- What the feed is ordered by, beside created_at. severity_e9 is the event's
-- severity in billionths: the same number on both engines.
ALTER TABLE drift_event ADD COLUMN severity_e9 BIGINT NOT NULL DEFAULT 0;
ALTER TABLE drift_event ADD COLUMN dollars BIGINT NOT NULL DEFAULT 0;
UPDATE drift_event SET severity_e9 = CAST(json_extract(evidence, '$.severity') * 1e9 + 0.5 AS INTEGER), dollars = json_extract(evidence, '$.dollars_per_month_cents'); -- sqlite
UPDATE drift_event SET severity_e9 = floor((evidence::json ->> 'severity')::double precision * 1e9 + 0.5), dollars = (evidence::json ->> 'dollars_per_month_cents')::bigint; -- postgres

CREATE INDEX drift_event_created ON drift_event (customer_id, created_at, id);
CREATE INDEX drift_event_severity ON drift_event (customer_id, severity_e9, id);
CREATE INDEX drift_event_dollars ON drift_event (customer_id, dollars, id);
