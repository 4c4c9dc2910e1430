// A working day of node-postgres; see day.py. Usage: day.js normal|masked
'use strict';
const { Client } = require('pg');
const pgvector = require('pgvector/pg');
const mode = process.argv[2];
const say = (what, value) => console.log(JSON.stringify([what, value]));
const ssl = process.env.PGSSLMODE === 'disable' ? false : { rejectUnauthorized: false };

(async () => {
  const client = new Client({ ssl });
  const notices = [];
  client.on('notice', (n) => notices.push(n.code));
  await client.connect();
  if (mode === 'masked') {
    say('masked', (await client.query('SELECT id, email, phone, embedding FROM customers WHERE id = $1', [7])).rows);
    try {
      await client.query("SELECT id FROM customers WHERE email LIKE 'a%' LIMIT 5");
      say('refused', null);
    } catch (e) {
      say('refused', [e.code, Boolean(e.detail), Boolean(e.hint)]);
    }
    say('after', (await client.query('SELECT 1 AS one')).rows);
    await client.end();
    return;
  }
  await pgvector.registerTypes(client);
  await client.query('DROP TABLE IF EXISTS day_node');
  await client.query('CREATE TABLE day_node (id int PRIMARY KEY, name text, embedding vector(3))');
  await client.query('BEGIN');
  for (let i = 1; i <= 20; i++) {
    await client.query('INSERT INTO day_node VALUES ($1, $2, $3)', [i, `row ${i}`, pgvector.toSql([i, 1, 0])]);
  }
  await client.query('COMMIT');
  say('search', (await client.query('SELECT id, name, embedding FROM day_node ORDER BY embedding <-> $1 LIMIT 3', [pgvector.toSql([5, 1, 0])])).rows);
  for (let i = 1; i < 4; i++) {
    say('named', (await client.query({ name: 'by-id', text: 'SELECT name FROM items WHERE id = $1', values: [i] })).rows);
  }
  say('several', (await client.query('SELECT 1 AS a; SELECT 2 AS b')).map((r) => r.rows));
  const queued = [1, 2, 3].map((i) => client.query('SELECT $1::int AS n', [i]));
  say('queued', (await Promise.all(queued)).map((r) => r.rows[0].n));
  try {
    await client.query('INSERT INTO day_node VALUES (1)');
  } catch (e) {
    say('error', [e.code, e.detail]);
  }
  await client.query('LISTEN day');
  const heard = new Promise((resolve) => client.on('notification', (n) => resolve([n.channel, n.payload])));
  await client.query("NOTIFY day, 'hello'");
  say('notification', await heard);
  await client.query('DROP TABLE day_node');
  say('notices', notices);
  await client.end();
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
