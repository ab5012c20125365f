// Elasticsearch's own client, as applications use it: `node elastic_client.cjs URL`. Prints what it
// got as JSON, or "error: ...".
const { Client } = require("@elastic/elasticsearch");

async function main(node) {
  const client = new Client({ node, maxRetries: 0 });
  const info = await client.info();
  const dropped = [];
  const docs = [];
  for (let i = 0; i < 5000; i++)
    docs.push({
      "@timestamp": new Date().toISOString(),
      message: `order ${i} taken`,
      log: { level: i % 100 ? "info" : "error" },
      service: { name: "shop" },
      host: { name: "web1" },
      order: { id: i, total: 1.5, tags: ["a", "b"] },
    });
  docs.push({ "@timestamp": "yesterday", message: "bad time", service: { name: "shop" } });
  const done = await client.helpers.bulk({
    datasource: docs,
    onDocument: () => ({ create: { _index: "logs-shop-default" } }),
    onDrop: (d) => dropped.push({ status: d.status, type: d.error.type, reason: d.error.reason }),
    retries: 0,
    flushBytes: 200000,
    concurrency: 2,
    refreshOnCompletion: true,
  });
  const one = await client.index({ index: "single", document: { message: "one", app: "solo" } });
  return { version: info.version.number, done, dropped, one: one.result };
}

main(process.argv[2])
  .then((out) => { console.log(JSON.stringify(out)); process.exit(0); })
  .catch((e) => { console.log(`error: ${e && e.stack || e}`); process.exit(1); });
