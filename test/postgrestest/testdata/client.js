// Asks the question through node-postgres: URL, query vector.
const pg = require('pg');
const pgvector = require('pgvector/pg');

(async () => {
  const [url, vector] = process.argv.slice(2);
  const client = new pg.Client({connectionString: url});
  await client.connect();
  await pgvector.registerTypes(client);
  const answer = await client.query('SELECT name FROM items ORDER BY embedding <=> $1 LIMIT 3', [vector]);
  console.log('node-postgres', ...answer.rows.map((row) => row.name));
  await client.end();
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
