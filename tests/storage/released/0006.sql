-- A SQLite database as tiomagic 2.0.0 wrote it at schema 0006. Never edited.
BEGIN TRANSACTION;
CREATE TABLE tiomagic_jobs (
	job_id VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	status VARCHAR NOT NULL, 
	feature VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	provider VARCHAR NOT NULL, 
	creation_time VARCHAR NOT NULL, 
	last_updated VARCHAR NOT NULL, 
	prompt TEXT NOT NULL, 
	required_args TEXT NOT NULL, 
	optional_args TEXT NOT NULL, 
	call_id VARCHAR, 
	message TEXT NOT NULL, 
	progress TEXT, 
	result_video TEXT, 
	error TEXT, 
	error_code VARCHAR, 
	facts TEXT NOT NULL, queue VARCHAR, retry INTEGER DEFAULT '0' NOT NULL, attempt INTEGER DEFAULT '1' NOT NULL, tags TEXT DEFAULT '[]' NOT NULL, note TEXT DEFAULT '' NOT NULL, started_at VARCHAR, ended_at VARCHAR, idempotency_key VARCHAR, chosen TEXT, queue_rank INTEGER DEFAULT '0' NOT NULL, charge BIGINT DEFAULT '0' NOT NULL, currency VARCHAR DEFAULT '' NOT NULL, charge_is_real INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (job_id)
);
INSERT INTO "tiomagic_jobs" VALUES('00000000-0000-4000-8000-000000000001',3,'completed','text_to_video','doodle','local','2026-11-22T12:00:00.000000+00:00','2026-11-22T12:02:00.000000+00:00','A Fox runs through snow','{"prompt": "A Fox runs through snow"}','{"seed": 7}','local:studio:41:1000','completed','{"phase": "denoising", "step": 3, "steps": 30}','/videos/doodle-text_to_video.mp4',NULL,NULL,'{"device": "cpu", "seconds": {"loading": 1.25}}',NULL,0,1,'[]','',NULL,NULL,NULL,NULL,0,0,'',0);
INSERT INTO "tiomagic_jobs" VALUES('00000000-0000-4000-8000-000000000002',1,'queued','text_to_video','wan2.1-vace-14b','modal','2026-11-22T12:03:00.000000+00:00','2026-11-22T12:03:00.000000+00:00','ein Füchslein 🦊
läuft, it''s 100%','{"prompt": "ein F\u00fcchslein \ud83e\udd8a\nl\u00e4uft, it''s 100%"}','{"seed": 7}',NULL,'',NULL,NULL,NULL,NULL,'{}',NULL,0,1,'[]','',NULL,NULL,NULL,NULL,0,0,'',0);
INSERT INTO "tiomagic_jobs" VALUES('00000000-0000-4000-8000-000000000003',2,'failed','interpolate','wan2.1-flf2v-14b','modal','2026-11-22T12:04:00.000000+00:00','2026-11-22T12:05:00.000000+00:00','an owl turns its head','{"prompt": "an owl turns its head"}','{"seed": 7}',NULL,'',NULL,NULL,'out of memory','out_of_memory','{"odd": NaN, "cost": {"amount": 0.75, "currency": "USD", "per": "run"}}',NULL,0,1,'[]','',NULL,NULL,NULL,NULL,0,750000,'USD',1);
INSERT INTO "tiomagic_jobs" VALUES('00000000-0000-4000-8000-000000000004',2,'running','text_to_video','wan2.1-t2v-1.3b','local','2026-11-22T12:06:00.000000+00:00','2026-11-22T12:07:00.000000+00:00','a fox and an owl','{"prompt": "a fox and an owl"}','{"seed": 7}','local:studio:42:2000','',NULL,NULL,NULL,NULL,'{}',NULL,0,1,'[]','',NULL,NULL,NULL,NULL,0,0,'',0);
CREATE TABLE tiomagic_leases (
	name VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	beat INTEGER NOT NULL, 
	mark VARCHAR NOT NULL, 
	renewed_at VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE tiomagic_prompts (
        number INTEGER PRIMARY KEY, job_id VARCHAR NOT NULL UNIQUE
    );
INSERT INTO "tiomagic_prompts" VALUES(1,'00000000-0000-4000-8000-000000000001');
INSERT INTO "tiomagic_prompts" VALUES(2,'00000000-0000-4000-8000-000000000002');
INSERT INTO "tiomagic_prompts" VALUES(3,'00000000-0000-4000-8000-000000000003');
INSERT INTO "tiomagic_prompts" VALUES(4,'00000000-0000-4000-8000-000000000004');
CREATE TABLE tiomagic_schema (version_num VARCHAR(32) NOT NULL, CONSTRAINT tiomagic_schema_pkc PRIMARY KEY (version_num));
INSERT INTO "tiomagic_schema" VALUES('0006');
CREATE TABLE tiomagic_spending (
	day VARCHAR NOT NULL, 
	currency VARCHAR NOT NULL, 
	charge BIGINT NOT NULL, 
	PRIMARY KEY (day, currency)
);
INSERT INTO "tiomagic_spending" VALUES('2026-11-22','USD',750000);
CREATE TABLE tiomagic_tags (
	tag VARCHAR NOT NULL, 
	creation_time VARCHAR NOT NULL, 
	job_id VARCHAR NOT NULL, 
	PRIMARY KEY (tag, creation_time, job_id)
);
CREATE INDEX tiomagic_jobs_by_rank ON tiomagic_jobs (queue, status, queue_rank, creation_time, job_id);
CREATE INDEX tiomagic_jobs_by_status ON tiomagic_jobs (status, creation_time);
CREATE INDEX tiomagic_jobs_by_feature ON tiomagic_jobs (feature, creation_time);
CREATE INDEX tiomagic_jobs_by_provider ON tiomagic_jobs (provider, creation_time);
CREATE INDEX tiomagic_jobs_by_model ON tiomagic_jobs (model, creation_time);
CREATE INDEX tiomagic_jobs_by_time ON tiomagic_jobs (creation_time);
CREATE UNIQUE INDEX tiomagic_jobs_by_key ON tiomagic_jobs (idempotency_key);
CREATE INDEX tiomagic_jobs_by_queue ON tiomagic_jobs (queue, status, creation_time);
CREATE INDEX tiomagic_tags_by_job ON tiomagic_tags (job_id);
CREATE VIRTUAL TABLE tiomagic_prompts_text
    USING fts5(prompt, content='', detail='none', tokenize='trigram');
INSERT INTO tiomagic_prompts_text (rowid, prompt) SELECT p.number, j.prompt FROM tiomagic_prompts p JOIN tiomagic_jobs j ON j.job_id = p.job_id;
CREATE TRIGGER tiomagic_tags_added AFTER INSERT ON tiomagic_jobs
    WHEN new.tags <> '[]' BEGIN
        INSERT INTO tiomagic_tags (tag, creation_time, job_id)
        SELECT value, new.creation_time, new.job_id FROM json_each(new.tags);
    END;
CREATE TRIGGER tiomagic_tags_changed AFTER UPDATE OF tags ON tiomagic_jobs
    WHEN new.tags <> old.tags BEGIN
        DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
        INSERT INTO tiomagic_tags (tag, creation_time, job_id)
        SELECT value, new.creation_time, new.job_id FROM json_each(new.tags);
    END;
CREATE TRIGGER tiomagic_tags_deleted AFTER DELETE ON tiomagic_jobs
    WHEN old.tags <> '[]' BEGIN
        DELETE FROM tiomagic_tags WHERE job_id = old.job_id;
    END;
CREATE TRIGGER tiomagic_prompts_added AFTER INSERT ON tiomagic_jobs BEGIN
        INSERT INTO tiomagic_prompts (job_id) VALUES (new.job_id);
        INSERT INTO tiomagic_prompts_text (rowid, prompt)
        SELECT number, new.prompt FROM tiomagic_prompts WHERE job_id = new.job_id;
    END;
CREATE TRIGGER tiomagic_prompts_changed AFTER UPDATE OF prompt ON tiomagic_jobs
    WHEN new.prompt <> old.prompt BEGIN
        INSERT INTO tiomagic_prompts_text (tiomagic_prompts_text, rowid, prompt)
        SELECT 'delete', number, old.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
        INSERT INTO tiomagic_prompts_text (rowid, prompt)
        SELECT number, new.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
    END;
CREATE TRIGGER tiomagic_prompts_deleted AFTER DELETE ON tiomagic_jobs BEGIN
        INSERT INTO tiomagic_prompts_text (tiomagic_prompts_text, rowid, prompt)
        SELECT 'delete', number, old.prompt FROM tiomagic_prompts WHERE job_id = old.job_id;
        DELETE FROM tiomagic_prompts WHERE job_id = old.job_id;
    END;
CREATE TRIGGER tiomagic_spending_added AFTER INSERT ON tiomagic_jobs
    WHEN new.charge > 0 BEGIN
        INSERT INTO tiomagic_spending (day, currency, charge)
        VALUES (substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (day, currency) DO UPDATE SET charge = charge + excluded.charge;
    END;
CREATE TRIGGER tiomagic_spending_changed AFTER UPDATE OF charge, currency ON tiomagic_jobs
    WHEN new.charge <> old.charge OR new.currency <> old.currency BEGIN
        UPDATE tiomagic_spending SET charge = charge - old.charge
        WHERE day = substr(old.creation_time, 1, 10) AND currency = old.currency;
        INSERT INTO tiomagic_spending (day, currency, charge)
        VALUES (substr(new.creation_time, 1, 10), new.currency, new.charge)
        ON CONFLICT (day, currency) DO UPDATE SET charge = charge + excluded.charge;
    END;
COMMIT;
