-- A customer's own names. raw_key is upstream.PayerKey of raw_name.
CREATE TABLE payer_mapping (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	id          BIGINT NOT NULL,
	raw_key     TEXT   NOT NULL,
	raw_name    TEXT   NOT NULL,
	payer       TEXT   NOT NULL,
	PRIMARY KEY (customer_id, id),
	UNIQUE (customer_id, raw_key)
);

CREATE TABLE cpt_mapping (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	id          BIGINT NOT NULL,
	code        TEXT   NOT NULL,
	cpt_group   TEXT   NOT NULL,
	PRIMARY KEY (customer_id, id),
	UNIQUE (customer_id, code)
);

-- The groups that the rollups hold where they are not the table's: cpt_mapping as
-- it was when the claims were last regrouped by it.
CREATE TABLE cpt_group_in_force (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	code        TEXT   NOT NULL,
	cpt_group   TEXT   NOT NULL,
	PRIMARY KEY (customer_id, code)
);
