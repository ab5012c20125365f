// What to paste where to send data through a door. Each door's own address is used while it is open;
// otherwise the same routes under the main door's prefix, which are always there.

import type { Door } from '../../api/status';

export interface Snippet {
  title: string;
  text: string;
}

export interface Place {
  host: string;
  port: string;
  /** http://host:port of the door's own listener, or of the main door with the prefix. */
  url: string;
}

/** Splits `127.0.0.1:9090` and `[::1]:9090`; an address that listens everywhere is named as this page was reached. */
export function doorPlace(door: Door, origin: string): Place {
  const here = new URL(origin);
  const m = /^\[?([^\]]*?)\]?:(\d+)$/.exec(door.listen ?? '');
  let host = m?.[1] ?? here.hostname;
  const port = m?.[2] ?? here.port;
  if (host === '' || host === '0.0.0.0' || host === '::' || host === '*') host = here.hostname;
  const inUrl = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const own = door.state === 'open' && m !== null && door.name !== 'main';
  const url = own ? `http://${inUrl}:${port}` : `${origin}${door.prefix ?? ''}`;
  return { host, port, url };
}

type Maker = (p: Place) => Snippet[];

const HTTP: Record<string, Maker> = {
  prometheus: ({ url }) => [
    { title: 'prometheus.yml: remote write', text: `remote_write:\n  - url: ${url}/api/v1/write` },
    { title: 'Grafana data source (type Prometheus)', text: url },
    { title: 'Pushgateway client', text: `echo 'backup_last_success_seconds '$(date +%s) | curl --data-binary @- ${url}/metrics/job/backup` },
  ],
  pushgateway: ({ url }) => [
    { title: 'Shell', text: `echo 'backup_last_success_seconds '$(date +%s) | curl --data-binary @- ${url}/metrics/job/backup` },
  ],
  otlp: ({ url }) => [
    { title: 'Any OpenTelemetry SDK', text: `export OTEL_EXPORTER_OTLP_ENDPOINT=${url}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf` },
    { title: 'OpenTelemetry Collector', text: `exporters:\n  otlphttp:\n    endpoint: ${url}` },
  ],
  loki: ({ url }) => [
    { title: 'Promtail', text: `clients:\n  - url: ${url}/loki/api/v1/push` },
    { title: 'Alloy', text: `loki.write "pharos" {\n  endpoint { url = "${url}/loki/api/v1/push" }\n}` },
  ],
  influxdb: ({ url }) => [
    { title: 'Telegraf', text: `[[outputs.influxdb]]\n  urls = ["${url}"]\n  database = "telegraf"` },
    { title: 'Shell', text: `curl '${url}/write?db=test' --data-binary 'room,name=kitchen temperature=21.5'` },
  ],
  elastic: ({ url }) => [
    { title: 'Metricbeat, Filebeat', text: `output.elasticsearch:\n  hosts: ["${url}"]` },
    { title: 'Fluent Bit', text: `[OUTPUT]\n    Name  es\n    Match *\n    Host  ${new URL(url).hostname}\n    Port  ${new URL(url).port || '80'}` },
  ],
  tempo: ({ url }) => [{ title: 'Grafana data source (type Tempo)', text: url }],
  zipkin: ({ url }) => [{ title: 'Zipkin reporter endpoint', text: `${url}/api/v2/spans` }],
  jaeger: ({ url }) => [{ title: 'Jaeger client', text: `export JAEGER_ENDPOINT=${url}/api/traces` }],
  alertmanager: ({ url }) => [{ title: 'prometheus.yml: alerting', text: `alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ["${new URL(url).host}"]` }],
};

const SOCKET: Record<string, Maker> = {
  statsd: ({ host, port }) => [
    { title: 'Shell', text: `echo -n 'deploys:1|c' | nc -u -w1 ${host} ${port}` },
    { title: 'DogStatsD clients', text: `export DD_AGENT_HOST=${host}\nexport DD_DOGSTATSD_PORT=${port}` },
  ],
  graphite: ({ host, port }) => [
    { title: 'Shell', text: `echo "room.kitchen.temperature 21.5 $(date +%s)" | nc -w1 ${host} ${port}` },
    { title: 'collectd', text: `<Plugin write_graphite>\n  <Node "pharos">\n    Host "${host}"\n    Port "${port}"\n  </Node>\n</Plugin>` },
  ],
  syslog: ({ host, port }) => [
    { title: 'rsyslog', text: `*.* action(type="omfwd" target="${host}" port="${port}" protocol="tcp" Template="RSYSLOG_SyslogProtocol23Format")` },
    { title: 'Shell', text: `logger --server ${host} --port ${port} --tcp --rfc5424 "hello"` },
  ],
  gelf: ({ host, port }) => [
    { title: 'Docker', text: `docker run --log-driver gelf --log-opt gelf-address=udp://${host}:${port} IMAGE` },
    { title: 'Shell', text: `echo -n '{"version":"1.1","host":"me","short_message":"hello"}' | nc -u -w1 ${host} ${port}` },
  ],
  forward: ({ host, port }) => [
    { title: 'Fluent Bit', text: `[OUTPUT]\n    Name  forward\n    Match *\n    Host  ${host}\n    Port  ${port}` },
    { title: 'Docker', text: `docker run --log-driver fluentd --log-opt fluentd-address=${host}:${port} IMAGE` },
  ],
  lumberjack: ({ host, port }) => [{ title: 'filebeat.yml', text: `output.logstash:\n  hosts: ["${host}:${port}"]` }],
};

/** Door names may carry a variant: `otlp-grpc`, `statsd_tcp`, `graphite.pickle`. */
export function doorKind(name: string): string {
  return name.toLowerCase().split(/[-_. /]/)[0]!;
}

export function doorSnippets(door: Door, origin: string): Snippet[] {
  if (door.name.toLowerCase() === 'main') {
    return [{ title: 'node_exporter on another host, in pharos.yml', text: `scrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: ["other-host:9100"]` }];
  }
  const kind = doorKind(door.name);
  const place = doorPlace(door, origin);
  if (kind === 'otlp' && (place.port === '4317' || /grpc/i.test(door.name))) {
    return [{ title: 'Any OpenTelemetry SDK', text: `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${place.host}:${place.port}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=grpc` }];
  }
  // A socket has no prefix to fall back to: closed is closed.
  const socket = SOCKET[kind];
  if (socket) return door.state === 'open' ? socket(place) : [];
  if (door.state !== 'open' && !door.prefix) return [];
  return HTTP[kind]?.(place) ?? [];
}
