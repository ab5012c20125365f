// Pushes with prom-client's Pushgateway class: `node push_client.cjs URL ACTION GROUPINGS VALUE`.
const client = require("prom-client");

const [url, action, groupings, value] = process.argv.slice(2);
const registry = new client.Registry();
const gateway = new client.Pushgateway(url, { headers: { "Content-Encoding": "gzip" } }, registry);
const registers = [registry];
if (action === "pushAdd") {
  new client.Gauge({ name: "batch_rows", help: "Rows.", registers }).set(Number(value));
} else if (action === "push") {
  new client.Counter({ name: "batch_runs_total", help: "Runs.", labelNames: ["kind"], registers })
    .inc({ kind: "full" }, Number(value));
  const took = new client.Histogram({ name: "batch_seconds", help: "Time.", buckets: [1, 5], registers });
  took.observe(0.5);
  took.observe(7);
  const size = new client.Summary({ name: "batch_bytes", help: "Size.", percentiles: [0.5], registers });
  size.observe(10);
}
const params = { jobName: "batch", groupings: JSON.parse(groupings) };
gateway[action](params).then(
  ({ resp }) => console.log(resp.statusCode),
  (err) => {
    console.error(err.message);
    process.exit(1);
  },
);
