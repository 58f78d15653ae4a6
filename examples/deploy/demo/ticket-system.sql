-- A sample ticket system for PostgreSQL: tables as OTOBO 11 has them, and a few tickets of today.
-- Written by generate.py; docker-compose's profile demo plays it into an empty database.

CREATE TABLE customer_company (
	customer_id VARCHAR(150) NOT NULL,
	name VARCHAR(191) NOT NULL,
	street VARCHAR(200),
	zip VARCHAR(200),
	city VARCHAR(200),
	country VARCHAR(200),
	url VARCHAR(200),
	comments VARCHAR(250),
	valid_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (customer_id),
	UNIQUE (name)
);
CREATE TABLE customer_preferences (
	user_id VARCHAR(191) NOT NULL,
	preferences_key VARCHAR(150) NOT NULL,
	preferences_value VARCHAR(250)
);
CREATE INDEX ix_customer_preferences_user_id ON customer_preferences (user_id);
CREATE TABLE customer_user (
	id SERIAL NOT NULL,
	login VARCHAR(191) NOT NULL,
	email VARCHAR(150) NOT NULL,
	customer_id VARCHAR(150) NOT NULL,
	pw VARCHAR(128),
	title VARCHAR(50),
	first_name VARCHAR(100) NOT NULL,
	last_name VARCHAR(100) NOT NULL,
	phone VARCHAR(150),
	fax VARCHAR(150),
	mobile VARCHAR(150),
	street VARCHAR(150),
	zip VARCHAR(200),
	city VARCHAR(200),
	country VARCHAR(200),
	comments VARCHAR(250),
	valid_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (login)
);
SELECT setval(pg_get_serial_sequence('customer_user', 'id'), coalesce(max(id), 0) + 1, false) FROM customer_user;
CREATE TABLE customer_user_customer (
	user_id VARCHAR(100) NOT NULL,
	customer_id VARCHAR(150) NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL
);
CREATE INDEX ix_customer_user_customer_customer_id ON customer_user_customer (customer_id);
CREATE INDEX ix_customer_user_customer_user_id ON customer_user_customer (user_id);
CREATE TABLE dynamic_field (
	id SERIAL NOT NULL,
	internal_field SMALLINT DEFAULT '0' NOT NULL,
	name VARCHAR(191) NOT NULL,
	label VARCHAR(200) NOT NULL,
	field_order INTEGER NOT NULL,
	field_type VARCHAR(200) NOT NULL,
	object_type VARCHAR(100) NOT NULL,
	config TEXT,
	valid_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO dynamic_field (id, internal_field, name, label, field_order, field_type, object_type, config, valid_id, create_time, create_by, change_time, change_by) VALUES (1, 0, 'CustomerName', 'CustomerName', 1, 'Text', 'Ticket', '{}
', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO dynamic_field (id, internal_field, name, label, field_order, field_type, object_type, config, valid_id, create_time, create_by, change_time, change_by) VALUES (2, 0, 'CustomerPhone', 'CustomerPhone', 1, 'Text', 'Ticket', '{}
', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO dynamic_field (id, internal_field, name, label, field_order, field_type, object_type, config, valid_id, create_time, create_by, change_time, change_by) VALUES (3, 0, 'CustomerCity', 'CustomerCity', 1, 'Text', 'Ticket', '{}
', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO dynamic_field (id, internal_field, name, label, field_order, field_type, object_type, config, valid_id, create_time, create_by, change_time, change_by) VALUES (4, 0, 'CustomerLevel', 'CustomerLevel', 1, 'Dropdown', 'Ticket', 'PossibleValues:
  gold: Gold
  silver: Silver
', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO dynamic_field (id, internal_field, name, label, field_order, field_type, object_type, config, valid_id, create_time, create_by, change_time, change_by) VALUES (5, 0, 'CustomerSince', 'CustomerSince', 1, 'Date', 'Ticket', '{}
', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
SELECT setval(pg_get_serial_sequence('dynamic_field', 'id'), coalesce(max(id), 0) + 1, false) FROM dynamic_field;
CREATE TABLE dynamic_field_obj_id_name (
	object_id SERIAL NOT NULL,
	object_name VARCHAR(191) NOT NULL,
	object_type VARCHAR(100) NOT NULL,
	PRIMARY KEY (object_id)
);
CREATE UNIQUE INDEX dynamic_field_object_name ON dynamic_field_obj_id_name (object_name, object_type);
SELECT setval(pg_get_serial_sequence('dynamic_field_obj_id_name', 'object_id'), coalesce(max(object_id), 0) + 1, false) FROM dynamic_field_obj_id_name;
CREATE TABLE group_customer (
	customer_id VARCHAR(150) NOT NULL,
	group_id INTEGER NOT NULL,
	permission_key VARCHAR(20) NOT NULL,
	permission_value SMALLINT NOT NULL,
	permission_context VARCHAR(100) NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL
);
CREATE INDEX ix_group_customer_customer_id ON group_customer (customer_id);
CREATE INDEX ix_group_customer_group_id ON group_customer (group_id);
CREATE TABLE group_customer_user (
	user_id VARCHAR(100) NOT NULL,
	group_id INTEGER NOT NULL,
	permission_key VARCHAR(20) NOT NULL,
	permission_value SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL
);
CREATE INDEX ix_group_customer_user_group_id ON group_customer_user (group_id);
CREATE INDEX ix_group_customer_user_user_id ON group_customer_user (user_id);
CREATE TABLE groups_table (
	id SERIAL NOT NULL,
	name VARCHAR(191) NOT NULL,
	comments VARCHAR(250),
	valid_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
SELECT setval(pg_get_serial_sequence('groups_table', 'id'), coalesce(max(id), 0) + 1, false) FROM groups_table;
CREATE TABLE queue (
	id SERIAL NOT NULL,
	name VARCHAR(200) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO queue (id, name) VALUES (1, 'Postmaster');
INSERT INTO queue (id, name) VALUES (2, 'Raw');
INSERT INTO queue (id, name) VALUES (3, 'Junk');
INSERT INTO queue (id, name) VALUES (4, 'Misc');
SELECT setval(pg_get_serial_sequence('queue', 'id'), coalesce(max(id), 0) + 1, false) FROM queue;
CREATE TABLE search_profile (
	login VARCHAR(200) NOT NULL,
	profile_name VARCHAR(200) NOT NULL,
	profile_type VARCHAR(30) NOT NULL,
	profile_key VARCHAR(200) NOT NULL,
	profile_value VARCHAR(200)
);
CREATE INDEX ix_search_profile_login ON search_profile (login);
CREATE TABLE service_customer_user (
	customer_user_login VARCHAR(200) NOT NULL,
	service_id INTEGER NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL
);
CREATE INDEX ix_service_customer_user_customer_user_login ON service_customer_user (customer_user_login);
CREATE INDEX ix_service_customer_user_service_id ON service_customer_user (service_id);
CREATE TABLE sysconfig_default (
	id SERIAL NOT NULL,
	name VARCHAR(250) NOT NULL,
	description TEXT NOT NULL,
	navigation VARCHAR(200) NOT NULL,
	is_invisible SMALLINT NOT NULL,
	is_readonly SMALLINT NOT NULL,
	is_required SMALLINT NOT NULL,
	is_valid SMALLINT NOT NULL,
	has_configlevel SMALLINT NOT NULL,
	user_modification_possible SMALLINT NOT NULL,
	user_modification_active SMALLINT NOT NULL,
	user_preferences_group VARCHAR(250),
	xml_content_raw TEXT NOT NULL,
	xml_content_parsed TEXT NOT NULL,
	xml_filename VARCHAR(250) NOT NULL,
	effective_value TEXT NOT NULL,
	is_dirty SMALLINT NOT NULL,
	exclusive_lock_guid VARCHAR(32) NOT NULL,
	exclusive_lock_user_id INTEGER,
	exclusive_lock_expiry_time TIMESTAMP(0) WITHOUT TIME ZONE,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
SELECT setval(pg_get_serial_sequence('sysconfig_default', 'id'), coalesce(max(id), 0) + 1, false) FROM sysconfig_default;
CREATE TABLE sysconfig_modified (
	id SERIAL NOT NULL,
	sysconfig_default_id INTEGER NOT NULL,
	name VARCHAR(250) NOT NULL,
	user_id INTEGER,
	is_valid SMALLINT NOT NULL,
	user_modification_active SMALLINT NOT NULL,
	effective_value TEXT NOT NULL,
	is_dirty SMALLINT NOT NULL,
	reset_to_default SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id)
);
CREATE UNIQUE INDEX sysconfig_modified_per_user ON sysconfig_modified (sysconfig_default_id, user_id);
SELECT setval(pg_get_serial_sequence('sysconfig_modified', 'id'), coalesce(max(id), 0) + 1, false) FROM sysconfig_modified;
CREATE TABLE ticket (
	id BIGSERIAL NOT NULL,
	tn VARCHAR(50) NOT NULL,
	title VARCHAR(255),
	queue_id INTEGER NOT NULL,
	ticket_lock_id SMALLINT NOT NULL,
	type_id SMALLINT,
	service_id INTEGER,
	sla_id INTEGER,
	user_id INTEGER NOT NULL,
	responsible_user_id INTEGER NOT NULL,
	ticket_priority_id SMALLINT NOT NULL,
	ticket_state_id SMALLINT NOT NULL,
	customer_id VARCHAR(150),
	customer_user_id VARCHAR(191),
	timeout INTEGER NOT NULL,
	until_time INTEGER NOT NULL,
	escalation_time INTEGER NOT NULL,
	escalation_update_time INTEGER NOT NULL,
	escalation_response_time INTEGER NOT NULL,
	escalation_solution_time INTEGER NOT NULL,
	archive_flag SMALLINT DEFAULT '0' NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (tn)
);
CREATE INDEX ix_ticket_customer_id ON ticket (customer_id);
CREATE INDEX ix_ticket_customer_user_id ON ticket (customer_user_id);
INSERT INTO ticket (id, tn, title, queue_id, ticket_lock_id, type_id, user_id, responsible_user_id, ticket_priority_id, ticket_state_id, customer_id, customer_user_id, timeout, until_time, escalation_time, escalation_update_time, escalation_response_time, escalation_solution_time, archive_flag, create_time, create_by, change_time, change_by) VALUES (1, '2026000000000001', 'A ticket', 2, 1, 1, 1, 1, 3, 4, 'example', 'anna', 0, 0, 0, 0, 0, 0, 0, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket (id, tn, title, queue_id, ticket_lock_id, type_id, user_id, responsible_user_id, ticket_priority_id, ticket_state_id, customer_id, customer_user_id, timeout, until_time, escalation_time, escalation_update_time, escalation_response_time, escalation_solution_time, archive_flag, create_time, create_by, change_time, change_by) VALUES (2, '2026000000000002', 'A ticket', 2, 1, 1, 1, 1, 3, 4, 'example', 'emma', 0, 0, 0, 0, 0, 0, 0, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket (id, tn, title, queue_id, ticket_lock_id, type_id, user_id, responsible_user_id, ticket_priority_id, ticket_state_id, customer_id, customer_user_id, timeout, until_time, escalation_time, escalation_update_time, escalation_response_time, escalation_solution_time, archive_flag, create_time, create_by, change_time, change_by) VALUES (3, '2026000000000003', 'A ticket', 2, 1, 1, 3, 1, 3, 4, 'example', 'carl', 0, 0, 0, 0, 0, 0, 0, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket (id, tn, title, queue_id, ticket_lock_id, type_id, user_id, responsible_user_id, ticket_priority_id, ticket_state_id, customer_id, customer_user_id, timeout, until_time, escalation_time, escalation_update_time, escalation_response_time, escalation_solution_time, archive_flag, create_time, create_by, change_time, change_by) VALUES (4, '2026000000000004', 'A ticket', 2, 1, 1, 1, 1, 3, 4, 'example', 'gita', 0, 0, 0, 0, 0, 0, 0, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket (id, tn, title, queue_id, ticket_lock_id, type_id, user_id, responsible_user_id, ticket_priority_id, ticket_state_id, customer_id, customer_user_id, timeout, until_time, escalation_time, escalation_update_time, escalation_response_time, escalation_solution_time, archive_flag, create_time, create_by, change_time, change_by) VALUES (5, '2026000000000005', 'A ticket', 2, 1, 1, 1, 1, 3, 4, 'example', 'nobody@example.net', 0, 0, 0, 0, 0, 0, 0, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
SELECT setval(pg_get_serial_sequence('ticket', 'id'), coalesce(max(id), 0) + 1, false) FROM ticket;
CREATE TABLE ticket_history_type (
	id SMALLSERIAL NOT NULL,
	name VARCHAR(191) NOT NULL,
	comments VARCHAR(250),
	valid_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (1, 'NewTicket', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (2, 'FollowUp', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (8, 'SendAnswer', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (11, 'EmailAgent', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (12, 'EmailCustomer', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (13, 'PhoneCallAgent', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (14, 'PhoneCallCustomer', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (15, 'AddNote', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (16, 'Move', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (21, 'CustomerUpdate', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (22, 'PriorityUpdate', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (23, 'OwnerUpdate', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (25, 'Misc', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (27, 'StateUpdate', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (28, 'TicketDynamicFieldUpdate', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO ticket_history_type (id, name, valid_id, create_time, create_by, change_time, change_by) VALUES (29, 'WebRequestCustomer', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
SELECT setval(pg_get_serial_sequence('ticket_history_type', 'id'), coalesce(max(id), 0) + 1, false) FROM ticket_history_type;
CREATE TABLE ticket_state (
	id SMALLSERIAL NOT NULL,
	name VARCHAR(191) NOT NULL,
	type_id SMALLINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO ticket_state (id, name, type_id) VALUES (1, 'new', 1);
INSERT INTO ticket_state (id, name, type_id) VALUES (2, 'closed successful', 3);
INSERT INTO ticket_state (id, name, type_id) VALUES (3, 'closed unsuccessful', 3);
INSERT INTO ticket_state (id, name, type_id) VALUES (4, 'open', 2);
INSERT INTO ticket_state (id, name, type_id) VALUES (5, 'removed', 6);
INSERT INTO ticket_state (id, name, type_id) VALUES (6, 'pending reminder', 4);
INSERT INTO ticket_state (id, name, type_id) VALUES (7, 'pending auto close+', 5);
INSERT INTO ticket_state (id, name, type_id) VALUES (8, 'pending auto close-', 5);
INSERT INTO ticket_state (id, name, type_id) VALUES (9, 'merged', 7);
SELECT setval(pg_get_serial_sequence('ticket_state', 'id'), coalesce(max(id), 0) + 1, false) FROM ticket_state;
CREATE TABLE ticket_state_type (
	id SMALLSERIAL NOT NULL,
	name VARCHAR(191) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO ticket_state_type (id, name) VALUES (1, 'new');
INSERT INTO ticket_state_type (id, name) VALUES (2, 'open');
INSERT INTO ticket_state_type (id, name) VALUES (3, 'closed');
INSERT INTO ticket_state_type (id, name) VALUES (4, 'pending reminder');
INSERT INTO ticket_state_type (id, name) VALUES (5, 'pending auto');
INSERT INTO ticket_state_type (id, name) VALUES (6, 'removed');
INSERT INTO ticket_state_type (id, name) VALUES (7, 'merged');
SELECT setval(pg_get_serial_sequence('ticket_state_type', 'id'), coalesce(max(id), 0) + 1, false) FROM ticket_state_type;
CREATE TABLE user_preferences (
	user_id INTEGER NOT NULL,
	preferences_key VARCHAR(150) NOT NULL,
	preferences_value TEXT
);
CREATE INDEX ix_user_preferences_user_id ON user_preferences (user_id);
INSERT INTO user_preferences (user_id, preferences_key, preferences_value) VALUES (3, 'UserEmail', 'ada@example.com');
INSERT INTO user_preferences (user_id, preferences_key, preferences_value) VALUES (3, 'UserLanguage', 'de');
CREATE TABLE users (
	id SERIAL NOT NULL,
	login VARCHAR(191) NOT NULL,
	pw VARCHAR(128) NOT NULL,
	title VARCHAR(50),
	first_name VARCHAR(100) NOT NULL,
	last_name VARCHAR(100) NOT NULL,
	valid_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (login)
);
INSERT INTO users (id, login, pw, first_name, last_name, valid_id, create_time, create_by, change_time, change_by) VALUES (1, 'root@localhost', '', '-', '-', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO users (id, login, pw, first_name, last_name, valid_id, create_time, create_by, change_time, change_by) VALUES (2, 'fieldfare', '', 'Field', 'Fare', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO users (id, login, pw, first_name, last_name, valid_id, create_time, create_by, change_time, change_by) VALUES (3, 'ada', '', 'Ada', 'Lovelace', 1, '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
SELECT setval(pg_get_serial_sequence('users', 'id'), coalesce(max(id), 0) + 1, false) FROM users;
CREATE TABLE valid (
	id SMALLSERIAL NOT NULL,
	name VARCHAR(191) NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO valid (id, name, create_time, create_by, change_time, change_by) VALUES (1, 'valid', '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO valid (id, name, create_time, create_by, change_time, change_by) VALUES (2, 'invalid', '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
INSERT INTO valid (id, name, create_time, create_by, change_time, change_by) VALUES (3, 'invalid-temporarily', '2024-01-01 00:00:00', 1, '2024-01-01 00:00:00', 1);
SELECT setval(pg_get_serial_sequence('valid', 'id'), coalesce(max(id), 0) + 1, false) FROM valid;
CREATE TABLE article (
	id BIGSERIAL NOT NULL,
	ticket_id BIGINT NOT NULL,
	article_sender_type_id SMALLINT NOT NULL,
	communication_channel_id BIGINT NOT NULL,
	is_visible_for_customer SMALLINT NOT NULL,
	search_index_needs_rebuild SMALLINT DEFAULT '1' NOT NULL,
	insert_fingerprint VARCHAR(64),
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(ticket_id) REFERENCES ticket (id)
);
CREATE INDEX ix_article_ticket_id ON article (ticket_id);
INSERT INTO article (id, ticket_id, article_sender_type_id, communication_channel_id, is_visible_for_customer, search_index_needs_rebuild, create_time, create_by, change_time, change_by) VALUES (1, 1, 3, 2, 1, 1, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO article (id, ticket_id, article_sender_type_id, communication_channel_id, is_visible_for_customer, search_index_needs_rebuild, create_time, create_by, change_time, change_by) VALUES (2, 2, 3, 2, 1, 1, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO article (id, ticket_id, article_sender_type_id, communication_channel_id, is_visible_for_customer, search_index_needs_rebuild, create_time, create_by, change_time, change_by) VALUES (3, 3, 3, 2, 1, 1, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO article (id, ticket_id, article_sender_type_id, communication_channel_id, is_visible_for_customer, search_index_needs_rebuild, create_time, create_by, change_time, change_by) VALUES (4, 4, 3, 2, 1, 1, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO article (id, ticket_id, article_sender_type_id, communication_channel_id, is_visible_for_customer, search_index_needs_rebuild, create_time, create_by, change_time, change_by) VALUES (5, 5, 3, 2, 1, 1, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
SELECT setval(pg_get_serial_sequence('article', 'id'), coalesce(max(id), 0) + 1, false) FROM article;
CREATE TABLE dynamic_field_value (
	id BIGSERIAL NOT NULL,
	field_id INTEGER NOT NULL,
	object_id BIGINT NOT NULL,
	value_text VARCHAR(3800),
	value_date TIMESTAMP(0) WITHOUT TIME ZONE,
	value_int BIGINT,
	index_value SMALLINT,
	index_set SMALLINT,
	PRIMARY KEY (id),
	FOREIGN KEY(field_id) REFERENCES dynamic_field (id)
);
CREATE INDEX field_values ON dynamic_field_value (object_id, field_id);
CREATE INDEX search_date ON dynamic_field_value (field_id, value_date);
CREATE INDEX search_int ON dynamic_field_value (field_id, value_int);
CREATE INDEX search_text ON dynamic_field_value (field_id, value_text);
INSERT INTO dynamic_field_value (id, field_id, object_id, value_text) VALUES (1, 2, 3, '+46 70 9999');
SELECT setval(pg_get_serial_sequence('dynamic_field_value', 'id'), coalesce(max(id), 0) + 1, false) FROM dynamic_field_value;
CREATE TABLE ticket_history (
	id BIGSERIAL NOT NULL,
	name VARCHAR(200) NOT NULL,
	history_type_id SMALLINT NOT NULL,
	ticket_id BIGINT NOT NULL,
	article_id BIGINT,
	type_id SMALLINT NOT NULL,
	queue_id INTEGER NOT NULL,
	owner_id INTEGER NOT NULL,
	priority_id SMALLINT NOT NULL,
	state_id SMALLINT NOT NULL,
	create_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	create_by INTEGER NOT NULL,
	change_time TIMESTAMP(0) WITHOUT TIME ZONE NOT NULL,
	change_by INTEGER NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(history_type_id) REFERENCES ticket_history_type (id),
	FOREIGN KEY(ticket_id) REFERENCES ticket (id),
	FOREIGN KEY(article_id) REFERENCES article (id)
);
CREATE INDEX ix_ticket_history_article_id ON ticket_history (article_id);
CREATE INDEX ix_ticket_history_history_type_id ON ticket_history (history_type_id);
CREATE INDEX ix_ticket_history_ticket_id ON ticket_history (ticket_id);
CREATE INDEX ticket_history_create_time ON ticket_history (create_time);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (1, '%%2026000000000001%%Raw%%3 normal%%new%%1', 1, 1, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (2, '%%CustomerID=example;CustomerUser=anna;', 21, 1, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, article_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (3, '%%', 12, 1, 1, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (4, '%%2026000000000002%%Raw%%3 normal%%new%%2', 1, 2, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (5, '%%CustomerID=example;CustomerUser=emma;', 21, 2, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, article_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (6, '%%', 12, 2, 2, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (7, '%%2026000000000003%%Raw%%3 normal%%new%%3', 1, 3, 1, 2, 3, 3, 4, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (8, '%%CustomerID=example;CustomerUser=carl;', 21, 3, 1, 2, 3, 3, 4, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (9, '%%FieldName%%CustomerPhone%%Value%%+46 70 9999%%OldValue%%', 28, 3, 1, 2, 3, 3, 4, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, article_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (10, '%%', 14, 3, 3, 1, 2, 3, 3, 4, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (11, '%%2026000000000004%%Raw%%3 normal%%new%%4', 1, 4, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (12, '%%CustomerID=example;CustomerUser=anna;', 21, 4, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, article_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (13, '%%', 12, 4, 4, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (14, '%%CustomerID=example;CustomerUser=gita;', 21, 4, 1, 2, 3, 3, 4, LOCALTIMESTAMP(0), 3, LOCALTIMESTAMP(0), 3);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (15, '%%2026000000000005%%Raw%%3 normal%%new%%5', 1, 5, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (16, '%%CustomerID=example;CustomerUser=nobody@example.net;', 21, 5, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
INSERT INTO ticket_history (id, name, history_type_id, ticket_id, article_id, type_id, queue_id, owner_id, priority_id, state_id, create_time, create_by, change_time, change_by) VALUES (17, '%%', 12, 5, 5, 1, 2, 1, 3, 4, LOCALTIMESTAMP(0), 1, LOCALTIMESTAMP(0), 1);
SELECT setval(pg_get_serial_sequence('ticket_history', 'id'), coalesce(max(id), 0) + 1, false) FROM ticket_history;
CREATE TABLE contacts (
	login VARCHAR(200) NOT NULL,
	first_name VARCHAR(200),
	last_name VARCHAR(200),
	email VARCHAR(200),
	phone VARCHAR(200),
	city VARCHAR(200),
	level VARCHAR(200),
	since VARCHAR(200),
	PRIMARY KEY (login)
);
INSERT INTO contacts (login, first_name, last_name, email, phone, city, level, since) VALUES ('anna', 'Anna', 'Berg', 'anna@example.com', '+49 30 1111', 'Berlin', 'gold', '2019-04-01');
INSERT INTO contacts (login, first_name, last_name, email, phone, city, level, since) VALUES ('carl', 'Carl', 'Dahl', 'carl@example.com', '+46 8 2222', 'Stockholm', 'silver', '2023-11-15');

-- Fieldfare's user, with the rights of docs/how-to/deploy.md
\set password `cat /run/secrets/tickets__password`
CREATE ROLE fieldfare LOGIN PASSWORD :'password';
GRANT SELECT ON ticket, ticket_history, ticket_history_type TO fieldfare;
GRANT SELECT ON dynamic_field, dynamic_field_value, user_preferences TO fieldfare;
GRANT SELECT (id, login, first_name, last_name, valid_id) ON users TO fieldfare;
GRANT UPDATE (change_time, change_by) ON ticket TO fieldfare;
GRANT INSERT, UPDATE, DELETE ON dynamic_field_value TO fieldfare;
GRANT INSERT ON ticket_history TO fieldfare;
GRANT USAGE ON SEQUENCE dynamic_field_value_id_seq, ticket_history_id_seq TO fieldfare;
-- What a resync chooses tickets by:
GRANT SELECT ON queue, ticket_state, ticket_state_type TO fieldfare;
-- What customer users are found in, if that is this database:
GRANT SELECT ON customer_user, customer_company TO fieldfare;
-- What the ticket system adds to a customer user of any source:
GRANT SELECT ON customer_preferences, dynamic_field_obj_id_name, valid TO fieldfare;
-- What `fieldfare check` sees of OTOBO's own modules:
GRANT SELECT (id, name, is_valid) ON sysconfig_default TO fieldfare;
GRANT SELECT (sysconfig_default_id, user_id, is_valid, is_dirty, reset_to_default)
  ON sysconfig_modified TO fieldfare;
GRANT SELECT ON contacts TO fieldfare;
