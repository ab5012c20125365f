// Sends log lines as applications do: `node log_senders_client.cjs KIND PORT [more]`. Prints "ok".
const [kind, port, key] = process.argv.slice(2);

function gelf(adapter) {
  const log = require("gelf-pro");
  log.setConfig({ fields: { service: "shop", kind }, adapterName: adapter,
                  adapterOptions: { host: "127.0.0.1", port: Number(port) } });
  return new Promise((done, fail) => {
    log.error("no stock", { order: 42, user: "ä \"quoted\"" }, (e) => (e ? fail(e) :
      log.info("long " + require("crypto").randomBytes(6000).toString("hex"), {}, (e2) => (e2 ? fail(e2) : done()))));
  });
}

function fluentLogger() {
  const logger = require("fluent-logger").createFluentSender("shop", {
    host: "127.0.0.1", port: Number(port), timeout: 5, requireAckResponse: true, ackResponseTimeout: 5000,
    ...(key ? { security: { clientHostname: "client", sharedKey: key } } : {}),
  });
  return new Promise((done, fail) => {
    logger.on("error", fail);
    logger.emit("app", { message: "no stock", level: "error", order: { id: 42 }, tags: ["a", 1] }, () =>
      logger.emit("app", { log: "started", level: "info" }, () => logger.end(null, null, done)));
  });
}

async function fluentOrg(mode) {
  const { FluentClient } = require("@fluent-org/logger");
  const logger = new FluentClient("shop", {
    eventMode: mode, socket: { host: "127.0.0.1", port: Number(port), timeout: 5000 }, ack: { ackTimeout: 5000 },
    ...(key ? { security: { clientHostname: "client", sharedKey: key } } : {}),
  });
  await Promise.all([logger.emit("app", { message: `first by ${mode}`, level: "warn", order: 7 }),
                     logger.emit("app", { message: `second by ${mode}` })]);
  await logger.shutdown();
}

const kinds = {
  "gelf-udp": () => gelf("udp"), "gelf-tcp": () => gelf("tcp"), "fluent-logger": fluentLogger,
  Message: () => fluentOrg("Message"), Forward: () => fluentOrg("Forward"),
  PackedForward: () => fluentOrg("PackedForward"), CompressedPackedForward: () => fluentOrg("CompressedPackedForward"),
};
kinds[kind]().then(() => { console.log("ok"); process.exit(0); },
                   (e) => { console.log(`error: ${e.stack || e}`); process.exit(1); });
