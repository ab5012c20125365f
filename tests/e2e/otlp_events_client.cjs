// Sends a trace and log records with OpenTelemetry's SDK:
// `node otlp_events_client.cjs http|proto|grpc URL [gzip]`. URL is the base address. Prints the ids as JSON.
const [kind, base, ...options] = process.argv.slice(2);
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { trace, context, SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const { SeverityNumber } = require("@opentelemetry/api-logs");
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);

const config = (path) => ({
  url: kind === "grpc" ? base : base + path,
  compression: options.includes("gzip") ? "gzip" : "none",
});
const failures = [];
const watched = (exporter) => {
  const send = exporter.export.bind(exporter);
  exporter.export = (data, done) => send(data, (result) => {
    if (result.error) failures.push(result.error.message);
    done(result);
  });
  return exporter;
};
const resource = resourceFromAttributes({
  "service.name": `shop-${kind}`, "service.namespace": "eu", "host.name": "h1", "process.pid": 42,
  "process.command_args": ["node", "a b"],
});
const tracers = new BasicTracerProvider({
  resource, spanProcessors: [new BatchSpanProcessor(watched(new OTLPTraceExporter(config("/v1/traces"))))],
});
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: watched(new OTLPLogExporter(config("/v1/logs"))) })],
});

(async () => {
  const tracer = tracers.getTracer("test.lib", "1.2.3");
  const root = tracer.startSpan("GET /cart", {
    kind: SpanKind.SERVER, root: true,
    attributes: { "http.response.status_code": 500, "http.route": "/cart", ratio: 0.5, ok: false,
                  list: ["a", "b"] },
  });
  root.addEvent("exception", { "exception.type": "Oops", "exception.message": "no\ngood" });
  root.setStatus({ code: SpanStatusCode.ERROR, message: "broken" });
  const inside = trace.setSpan(context.active(), root);
  const child = tracer.startSpan("SELECT", { kind: SpanKind.CLIENT, links: [{ context: root.spanContext(),
    attributes: { why: "test" } }] }, inside);
  child.end();
  root.end();
  const logger = loggers.getLogger("log.lib", "2.0");
  logger.emit({ severityNumber: SeverityNumber.WARN, severityText: "Warning", body: "plain line",
                attributes: { "order.id": 7, paid: true, "deep": { a: [1, "x"] } }, context: inside });
  logger.emit({ severityNumber: SeverityNumber.INFO, body: { structured: { n: 1 }, list: [true] },
                eventName: "order.placed" });
  logger.emit({ body: 12.5 });
  await tracers.forceFlush();
  await loggers.forceFlush();
  await tracers.shutdown();
  await loggers.shutdown();
  const { traceId, spanId } = root.spanContext();
  console.log(JSON.stringify({ failures, traceId, spanId, childId: child.spanContext().spanId }));
})();
