CREATE INDEX items_section ON items (section);
CREATE INDEX items_embedding ON items USING hnsw (embedding vector_cosine_ops);
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE;
ALTER TABLE orders ADD FOREIGN KEY (item_id) REFERENCES items ON DELETE CASCADE;
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_item ON orders (item_id);

CREATE VIEW customer_emails AS SELECT id, email FROM customers;

-- The role that the gateway uses owns what it serves and nothing else.
GRANT USAGE, CREATE ON SCHEMA public TO vecgate_app;
ALTER TABLE items OWNER TO vecgate_app;
ALTER TABLE customers OWNER TO vecgate_app;
ALTER TABLE orders OWNER TO vecgate_app;
ALTER VIEW customer_emails OWNER TO vecgate_app;

ANALYZE items;
ANALYZE customers;
ANALYZE orders;
