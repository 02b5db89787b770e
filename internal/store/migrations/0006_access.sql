-- People, programs and their sessions. All of them are reached by name or secret
-- before a customer is known, so users and sessions have ids of their own; flags
-- are 0 or 1, and an instant of 0 means never.
ALTER TABLE access ADD COLUMN last_user BIGINT NOT NULL DEFAULT 0;
ALTER TABLE access ADD COLUMN last_session BIGINT NOT NULL DEFAULT 0;

-- customer_id is 0 for a superuser of no customer. login is the username in lower
-- case, as the program makes it: the databases' lower() depends on their language.
CREATE TABLE app_user (
	id            BIGINT PRIMARY KEY,
	username      TEXT   NOT NULL,
	login         TEXT   NOT NULL UNIQUE,
	customer_id   BIGINT NOT NULL,
	role          TEXT   NOT NULL,
	superuser     BIGINT NOT NULL,
	disabled      BIGINT NOT NULL,
	password_hash TEXT   NOT NULL,
	created_at    BIGINT NOT NULL
);

CREATE INDEX app_user_customer ON app_user (customer_id, id);

-- key_hash is all that is kept of a key. scopes is a JSON list.
CREATE TABLE api_key (
	customer_id BIGINT NOT NULL REFERENCES customer (id),
	id          BIGINT NOT NULL,
	key_hash    TEXT   NOT NULL UNIQUE,
	name        TEXT   NOT NULL,
	prefix      TEXT   NOT NULL,
	role        TEXT   NOT NULL,
	scopes      TEXT   NOT NULL,
	created_by  TEXT   NOT NULL,
	created_at  BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,
	revoked_at  BIGINT NOT NULL,
	PRIMARY KEY (customer_id, id)
);

-- secret_hash is that of a browser's cookie, '' for a family of refresh tokens,
-- of which generation is the one that may be used next.
CREATE TABLE session (
	id          BIGINT PRIMARY KEY,
	user_id     BIGINT NOT NULL REFERENCES app_user (id),
	kind        TEXT   NOT NULL,
	secret_hash TEXT   NOT NULL,
	generation  BIGINT NOT NULL,
	created_at  BIGINT NOT NULL,
	seen_at     BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,
	revoked_at  BIGINT NOT NULL,
	address     TEXT   NOT NULL,
	agent       TEXT   NOT NULL
);

CREATE INDEX session_of_user ON session (user_id, id);
CREATE UNIQUE INDEX session_by_secret ON session (secret_hash) WHERE secret_hash <> '';

CREATE TABLE signing_key (
	id         TEXT   PRIMARY KEY,
	secret     BLOB   NOT NULL,
	created_at BIGINT NOT NULL
);

-- Who did what: rows are only added, and each is sealed with the hash of the one
-- before it in its customer (see upstream.AuditEntry.Seal). customer_id is 0 for
-- what belongs to none. claims is a JSON list of claim ids.
CREATE TABLE audit_entry (
	customer_id BIGINT NOT NULL,
	id          BIGINT NOT NULL,
	made_at     BIGINT NOT NULL,
	actor       TEXT   NOT NULL,
	action      TEXT   NOT NULL,
	target      TEXT   NOT NULL,
	detail      TEXT   NOT NULL,
	claims      TEXT   NOT NULL,
	address     TEXT   NOT NULL,
	request     TEXT   NOT NULL,
	repeats     BIGINT NOT NULL,
	hash        TEXT   NOT NULL,
	PRIMARY KEY (customer_id, id)
);

CREATE INDEX audit_entry_actor ON audit_entry (customer_id, actor, id);

-- The end of each chain: who adds to a chain holds its row.
CREATE TABLE audit_head (
	customer_id BIGINT PRIMARY KEY,
	entries     BIGINT NOT NULL,
	hash        TEXT   NOT NULL
);

CREATE TRIGGER audit_entry_unchanged BEFORE UPDATE ON audit_entry BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- sqlite
CREATE TRIGGER audit_entry_undeleted BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- sqlite
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$; -- postgres
CREATE TRIGGER audit_entry_unchanged BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_audit_change(); -- postgres
CREATE TRIGGER audit_entry_kept BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change(); -- postgres

CREATE TABLE settings (
	customer_id BIGINT PRIMARY KEY REFERENCES customer (id),
	body        TEXT   NOT NULL,
	changed_at  BIGINT NOT NULL
);

-- Answers to requests with an Idempotency-Key, kept a day; status is 0 while the
-- first of them is being worked on.
CREATE TABLE idempotency (
	customer_id BIGINT NOT NULL,
	actor       TEXT   NOT NULL,
	request_key TEXT   NOT NULL,
	body_hash   TEXT   NOT NULL,
	status      BIGINT NOT NULL,
	header      TEXT   NOT NULL,
	body        BLOB   NOT NULL,
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (customer_id, actor, request_key)
);

CREATE INDEX idempotency_created ON idempotency (created_at);
