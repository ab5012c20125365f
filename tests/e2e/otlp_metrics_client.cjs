// Sends one of each instrument with OpenTelemetry's SDK:
// `node otlp_metrics_client.cjs http|proto|grpc URL [gzip] [delta]`. Prints "ok", or the error of the export.
const [kind, url, ...options] = process.argv.slice(2);
const { MeterProvider, PeriodicExportingMetricReader, AggregationType, AggregationTemporality } =
  require("@opentelemetry/sdk-metrics");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${kind}`);

const exporter = new OTLPMetricExporter({
  url,
  compression: options.includes("gzip") ? "gzip" : "none",
  temporalityPreference: options.includes("delta")
    ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
});
let failure = null;
const send = exporter.export.bind(exporter);
exporter.export = (data, done) => send(data, (result) => {
  if (result.error) failure = result.error;
  done(result);
});

const provider = new MeterProvider({
  resource: resourceFromAttributes({
    "service.name": "shop", "service.namespace": "eu", "service.instance.id": `i-${kind}`,
    "host.name": "h1", "process.pid": 42,
  }),
  readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 })],
  views: [{ instrumentName: "*.exponential",
            aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
});
const meter = provider.getMeter("test.lib", "1.2.3");
const requests = meter.createCounter("http.requests", { unit: "{request}", description: "All requests." });
const queue = meter.createUpDownCounter("queue.length");
const latency = meter.createHistogram("request.duration", {
  unit: "s", description: "How long.", advice: { explicitBucketBoundaries: [0.1, 1, 10] },
});
const sizes = meter.createHistogram("size.exponential", { unit: "By" });
meter.createObservableGauge("cpu.temperature", { unit: "Cel" })
  .addCallback((r) => r.observe(51.5, { core: 0 }));

(async () => {
  const rounds = options.includes("delta") ? 3 : 1;
  for (let round = 0; round < rounds; round++) {
    requests.add(3, { "http.route": "/cart", "http.status": 200 });
    requests.add(1, { "http.route": "/pay" });
    queue.add(5);
    queue.add(-2);
    for (const v of [0.05, 0.5, 0.5, 20]) latency.record(v, { "http.route": "/cart" });
    for (const v of [0, 1, 1000, 1e6]) sizes.record(v);
    await provider.forceFlush();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await provider.shutdown();
  console.log(failure ? `error: ${failure.message}` : "ok");
})();
