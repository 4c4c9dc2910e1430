// The operations of REST that Pinecone's client for Node publishes: METHOD PATH, one a line.
const fs = require('fs');
const path = require('path');

const root = path.join(path.dirname(require.resolve('@pinecone-database/pinecone')), 'pinecone-generated-ts-fetch');
for (const plane of ['admin', 'db_control', 'db_data', 'inference']) {
  const apis = path.join(root, plane, 'apis');
  for (const file of fs.readdirSync(apis).filter((f) => f.endsWith('.js'))) {
    const text = fs.readFileSync(path.join(apis, file), 'utf8');
    for (const [, at, method] of text.matchAll(/path: `([^`]+)`(?:\.replace\([^\n]*\))?,\s*method: '(\w+)'/g)) {
      console.log(`${method} ${at}`);
    }
  }
}
