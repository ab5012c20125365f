// Sends the spans of one call from `shop` to `stock` as applications do:
//     node traces_client.cjs KIND HOST PORT
// KIND: zipkin, zipkin-v1, jaeger-udp, jaeger-http, otel-jaeger-udp, otel-jaeger-http, otel-zipkin.
// Prints the trace's id, or the error.
const [kind, host, port] = process.argv.slice(2);

// Zipkin's own tracer: the server's span shares the id of the client's.
async function zipkin(encoder) {
  const { Tracer, ExplicitContext, BatchRecorder, Annotation, InetAddress, jsonEncoder } = require("zipkin");
  const { HttpLogger } = require("zipkin-transport-http");
  const answers = [];
  const fetchImplementation = async (...args) => {
    const answer = await require("node-fetch")(...args);
    answers.push(answer.status);
    return answer;
  };
  const logger = new HttpLogger({
    endpoint: `http://${host}:${port}/api/${encoder === "JSON_V1" ? "v1" : "v2"}/spans`, jsonEncoder: jsonEncoder[encoder],
    httpInterval: 10, fetchImplementation, errorListenersCount: 0,
  });
  logger.on("error", (e) => { throw e; });
  const make = (name) => new Tracer({ ctxImpl: new ExplicitContext(), recorder: new BatchRecorder({ logger }), localServiceName: name });
  const shop = make("shop"), stock = make("stock");
  let id;
  shop.scoped(() => {
    id = shop.createRootId();
    shop.setId(id);
    shop.recordServiceName("shop");
    shop.recordRpc("get /stock");
    shop.recordAnnotation(new Annotation.ClientSend());
    shop.recordBinary("http.method", "GET");
    shop.recordAnnotation(new Annotation.ServerAddr({ serviceName: "stock", host: new InetAddress("10.0.0.2"), port: 8080 }));
    shop.recordMessage("cache miss");
  });
  stock.scoped(() => {
    stock.setId(stock.join(id));
    stock.recordServiceName("stock");
    stock.recordRpc("get /stock");
    stock.recordAnnotation(new Annotation.ServerRecv());
    stock.recordBinary("error", "none left");
    stock.recordAnnotation(new Annotation.ServerSend());
  });
  await new Promise((done) => setTimeout(done, 20));
  shop.scoped(() => { shop.setId(id); shop.recordAnnotation(new Annotation.ClientRecv()); });
  while (answers.length < 1) await new Promise((done) => setTimeout(done, 5));
  await new Promise((done) => setTimeout(done, 50));
  if (answers.some((status) => status !== 202)) throw new Error(`answered ${answers}`);
  return id.traceId;
}

// Jaeger's own client.
async function jaeger(reporter) {
  const { initTracer } = require("jaeger-client");
  const { Tags, REFERENCE_FOLLOWS_FROM } = require("opentracing");
  const errors = [];
  const logger = { info() {}, error: (e) => errors.push(e) };
  const make = (serviceName) => initTracer({ serviceName, sampler: { type: "const", param: 1 }, reporter: { flushIntervalMs: 10, ...reporter } },
    { logger, tags: { version: "1.2", replica: 3 } });
  const shop = make("shop"), stock = make("stock");
  const client = shop.startSpan("get /stock", { tags: { [Tags.SPAN_KIND]: "client", "http.method": "GET", "http.status_code": 500, ratio: 0.5, cached: false } });
  client.log({ event: "retry", attempt: 2 });
  const server = stock.startSpan("get /stock", { childOf: client.context(), tags: { [Tags.SPAN_KIND]: "server", error: true } });
  const later = stock.startSpan("refill", { references: [new (require("opentracing").Reference)(REFERENCE_FOLLOWS_FROM, server.context())] });
  const id = client.context().traceIdStr;
  for (const span of [later, server, client]) span.finish();
  await Promise.all([shop, stock].map((tracer) => new Promise((done) => tracer.close(done))));
  if (errors.length) throw new Error(errors.join("; "));
  return id;
}

// OpenTelemetry's exporters for both.
async function otel(exporter) {
  const { BasicTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
  const { resourceFromAttributes } = require("@opentelemetry/resources");
  const { trace, context, SpanKind, SpanStatusCode } = require("@opentelemetry/api");
  const results = [];
  const make = (name) => {
    const inner = exporter(name);
    const watched = {
      export: (spans, done) => inner.export(spans, (result) => { results.push(result); done(result); }),
      shutdown: () => inner.shutdown(), forceFlush: async () => {},
    };
    return new BasicTracerProvider({ resource: resourceFromAttributes({ "service.name": name, "service.version": "1.2" }),
      spanProcessors: [new SimpleSpanProcessor(watched)] });
  };
  const shop = make("shop"), stock = make("stock");
  const client = shop.getTracer("lib", "0.1").startSpan("get /stock", { kind: SpanKind.CLIENT, attributes: { "http.method": "GET", "http.status_code": 500, ratio: 0.5, cached: false } });
  client.addEvent("retry", { attempt: 2 });
  const under = trace.setSpan(context.active(), client);
  const server = stock.getTracer("lib").startSpan("get /stock", { kind: SpanKind.SERVER }, under);
  server.setStatus({ code: SpanStatusCode.ERROR, message: "none left" });
  const later = stock.getTracer("lib").startSpan("refill", { links: [{ context: server.spanContext() }] }, trace.setSpan(context.active(), server));
  for (const span of [later, server, client]) span.end();
  await Promise.all([shop, stock].map((provider) => provider.forceFlush()));
  for (let i = 0; results.length < 3 && i < 400; i++) await new Promise((done) => setTimeout(done, 10));
  await Promise.all([shop, stock].map((provider) => provider.shutdown()));
  if (results.length !== 3 || results.some((r) => r.code !== 0)) throw new Error(JSON.stringify(results.map((r) => [r.code, String(r.error)])));
  return client.spanContext().traceId;
}

function otelJaeger(over) {
  const { JaegerExporter } = require("@opentelemetry/exporter-jaeger");
  return () => new JaegerExporter(over);
}

const kinds = {
  "zipkin": () => zipkin("JSON_V2"),
  "zipkin-v1": () => zipkin("JSON_V1"),
  "jaeger-udp": () => jaeger({ agentHost: host, agentPort: Number(port) }),
  "jaeger-http": () => jaeger({ collectorEndpoint: `http://${host}:${port}/api/traces` }),
  "otel-jaeger-udp": () => otel(otelJaeger({ host, port: Number(port) })),
  "otel-jaeger-http": () => otel(otelJaeger({ endpoint: `http://${host}:${port}/api/traces` })),
  "otel-zipkin": () => otel(() => new (require("@opentelemetry/exporter-zipkin").ZipkinExporter)({ url: `http://${host}:${port}/api/v2/spans` })),
};
kinds[kind]()
  .then((id) => { console.log(id); process.exit(0); })
  .catch((e) => { console.log(`error: ${e && e.stack || e}`); process.exit(1); });
