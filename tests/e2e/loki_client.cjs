// Sends log lines as applications do: `node loki_client.cjs winston-json|winston-proto|pino URL`.
// Prints "ok", or the error of the push.
const [kind, url] = process.argv.slice(2);

async function winston(json) {
  const winston = require("winston");
  const LokiTransport = require("winston-loki");
  const transport = new LokiTransport({
    host: url, json, batching: true, interval: 3600, gracefulShutdown: false, timeout: 5000,
    labels: { app: "shop", kind },
    onConnectionError: (e) => { console.log(`error: ${e}`); process.exit(1); },
  });
  const logger = winston.createLogger({ level: "debug", transports: [transport] });
  logger.info("started", { labels: { part: "main" } });
  logger.error("no stock", { order: 42, user: "ä \"quoted\"" });
  logger.debug("details");
  await new Promise((done) => setTimeout(done, 100)); // winston hands lines over later
  return transport.close();
}

async function pino() {
  const pino = require("pino");
  const { pinoLoki } = require("pino-loki");
  const stream = pinoLoki({
    host: url, labels: { app: "shop", kind }, propsToLabels: ["part"], batching: { interval: 1 },
    silenceErrors: false, structuredMetaKey: "meta",
  });
  const logger = pino({ level: "debug" }, stream);
  logger.info({ part: "main" }, "started");
  logger.error({ order: 42, meta: { trace: "t1" } }, "no stock");
  logger.debug("details");
  stream.end();
  await new Promise((done, failed) => { stream.on("close", done); stream.on("error", failed); });
}

(kind === "pino" ? pino() : winston(kind === "winston-json"))
  .then(() => { console.log("ok"); process.exit(0); })
  .catch((e) => { console.log(`error: ${e && e.stack || e}`); process.exit(1); });
