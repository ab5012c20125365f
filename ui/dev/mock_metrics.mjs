// Stands in for the series that only Pharos makes, read from this machine's /proc, so that the
// process table and the status page can be worked on against a plain Prometheus:
//
//   node dev/mock_metrics.mjs 19101        then scrape 127.0.0.1:19101 with honor_labels
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';

const instance = process.argv[3] ?? 'harbour';
let samples = 0;

function procs() {
  const rows = [];
  for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const io = readFileSync(`/proc/${pid}/io`, 'utf8');
      rows.push({
        labels: `comm="${comm}",pid="${pid}",user="root",job="node",instance="${instance}"`,
        cpu: (Number(f[11]) + Number(f[12])) / 100,
        rss: Number(f[21]) * 4096,
        threads: f[17],
        read: /read_bytes: (\d+)/.exec(io)?.[1] ?? 0,
        written: /\nwrite_bytes: (\d+)/.exec(io)?.[1] ?? 0,
      });
    } catch {
      // Gone meanwhile.
    }
  }
  return rows.sort((a, b) => b.rss - a.rss).slice(0, 40);
}

http
  .createServer((_req, res) => {
    const rows = procs();
    samples += 900 + Math.round(Math.random() * 300);
    const out = [];
    const family = (name, type, key) => {
      out.push(`# TYPE ${name} ${type}`);
      for (const r of rows) out.push(`${name}{${r.labels}} ${r[key]}`);
    };
    family('pharos_process_cpu_seconds_total', 'counter', 'cpu');
    family('pharos_process_resident_memory_bytes', 'gauge', 'rss');
    family('pharos_process_threads', 'gauge', 'threads');
    family('pharos_process_read_bytes_total', 'counter', 'read');
    family('pharos_process_written_bytes_total', 'counter', 'written');
    const own = `job="pharos",instance="${instance}"`;
    out.push('# TYPE pharos_ingest_samples_total counter', `pharos_ingest_samples_total{${own}} ${samples}`);
    out.push('# TYPE pharos_ingest_refused_total counter', `pharos_ingest_refused_total{reason="out_of_retention",${own}} 12`);
    res.setHeader('content-type', 'text/plain; version=0.0.4');
    res.end(out.join('\n') + '\n');
  })
  .listen(Number(process.argv[2] ?? 19101), '127.0.0.1');
