CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE items (
	id            bigint PRIMARY KEY,
	name          text NOT NULL UNIQUE,
	section       text NOT NULL,
	summary       text NOT NULL,
	description   text NOT NULL,
	version       text NOT NULL,
	homepage      text NOT NULL,
	installed_kib integer NOT NULL,
	embedding     vector(384) STORAGE PLAIN NOT NULL -- in the row: reading it costs no second look-up
);

CREATE TABLE customers (
	id        bigint PRIMARY KEY,
	name      text NOT NULL,
	email     text NOT NULL UNIQUE,
	phone     text NOT NULL,
	ssn       text NOT NULL,
	city      text NOT NULL,
	notes     text NOT NULL,
	embedding vector(384) NOT NULL
);

CREATE TABLE orders (
	id          bigint PRIMARY KEY,
	customer_id bigint NOT NULL,
	item_id     bigint NOT NULL,
	quantity    integer NOT NULL,
	amount      numeric(10, 2) NOT NULL,
	ordered_on  date NOT NULL
);
