// Sends with the npm clients of StatsD: node statsd_client.cjs hot-shots|node-statsd HOST-OR-SOCKET PORT
const [which, host, port] = process.argv.slice(2);

function hotShots() {
  const StatsD = require("hot-shots");
  const client = new StatsD({
    host, port: Number(port), prefix: "hs.", globalTags: { env: "test" }, maxBufferSize: 1000,
    errorHandler: (e) => { console.error(e); process.exitCode = 1; },
  });
  client.increment("hits");
  client.increment("hits", 4, ["route:a b"]);
  client.decrement("stock", 2);
  client.gauge("queue", 12.5);
  client.gaugeDelta("queue", -2.5);
  client.timing("latency", 250);
  client.histogram("size", 42);
  client.distribution("wait", 0.75);
  client.set("users", "ann");
  client.set("users", "bob");
  client.unique("users", "ann");
  client.gauge("late", 7, { timestamp: Number(process.argv[5]) });
  client.event("Deployed", "version 2 | blue\nby ann", { alert_type: "warning", priority: "low" }, ["team:web"]);
  client.check("db.ok", client.CHECKS.CRITICAL, { message: "no | answer" }, ["shard:7"]);
  client.close();
}

function nodeStatsd() {
  const { StatsD } = require("node-statsd");
  const client = new StatsD({ host, port: Number(port), prefix: "ns." });
  client.increment("hits");
  client.timing("latency", 100);
  client.gauge("queue", 3);
  client.histogram("size", 5);
  client.unique("users", "x");
  client.set("users", "y", ["k:v"]);
  setTimeout(() => client.close(), 300);
}

(which === "hot-shots" ? hotShots : nodeStatsd)();
