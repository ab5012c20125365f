// Development server: Vite with hot reload (or ui/dist as it would be embedded, with --dist), every
// request for a door or for /api/ passed on (live tails too). Loopback only.
//
//   node dev/server.mjs [--port 3100] [--pharos http://127.0.0.1:3000]
//   node dev/server.mjs --prometheus http://127.0.0.1:9090     no Pharos at hand: a Prometheus
//       answers the queries and the status is a sample
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values: opt } = parseArgs({
  options: {
    port: { type: 'string', default: '3100' },
    pharos: { type: 'string', default: 'http://127.0.0.1:3000' },
    prometheus: { type: 'string' },
    dist: { type: 'boolean', default: false },
  },
});

function sampleStatus() {
  const status = JSON.parse(readFileSync(path.join(root, 'dev/status.json'), 'utf8'));
  status.hostname = os.hostname();
  status.uptime_s = Math.round(process.uptime());
  status.started_at = Math.round(Date.now() / 1000 - process.uptime());
  return JSON.stringify(status);
}

function pass(req, res, base, strip) {
  const to = new URL(req.url.slice(strip.length), base);
  const up = http.request(to, { method: req.method, headers: { ...req.headers, host: to.host } }, (r) => {
    res.writeHead(r.statusCode, r.headers);
    r.pipe(res);
  });
  up.on('error', (e) => {
    if (!res.headersSent) res.writeHead(502, { 'content-type': 'text/plain' });
    res.end(`${base}: ${e.message}`);
  });
  req.pipe(up);
}

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

function serveDist(req, res) {
  const name = new URL(req.url, 'http://x').pathname;
  let file = path.join(root, 'dist', path.normalize(name));
  if (!path.extname(name) || name.startsWith('/service/')) file = path.join(root, 'dist/index.html');
  if (!existsSync(file)) {
    res.writeHead(404);
    return res.end();
  }
  const gz = existsSync(`${file}.gz`);
  res.writeHead(200, {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'cache-control': name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(gz ? { 'content-encoding': 'gzip' } : {}),
  });
  createReadStream(gz ? `${file}.gz` : file).pipe(res);
}

/** Doors under their prefix on the main port. */
const DOORS = /^\/(loki|tempo|jaeger|zipkin|otlp|graphite|elastic)\//;

let vite;
const server = http.createServer((req, res) => {
  if (req.url.startsWith('/api/')) {
    if (!opt.prometheus) return pass(req, res, opt.pharos, '');
    if (req.url.startsWith('/api/pharos/v1/status')) {
      res.writeHead(200, { 'content-type': 'application/json' });
      return res.end(sampleStatus());
    }
    res.writeHead(404);
    return res.end();
  }
  if (req.url.startsWith('/prometheus/')) {
    return opt.prometheus ? pass(req, res, opt.prometheus, '/prometheus') : pass(req, res, opt.pharos, '');
  }
  if (DOORS.test(req.url)) return pass(req, res, opt.pharos, '');
  if (opt.dist) return serveDist(req, res);
  return vite.middlewares(req, res);
});
if (!opt.dist) {
  const { createServer } = await import('vite');
  vite = await createServer({ root, configFile: path.join(root, 'vite.config.ts'), base: '/', server: { middlewareMode: true, hmr: { server } }, appType: 'spa' });
}
server.on('upgrade', (req, socket, head) => {
  if (!DOORS.test(req.url)) return;
  const to = new URL(req.url, opt.pharos);
  const up = http.request(to, { headers: { ...req.headers, host: to.host, origin: to.origin } });
  up.on('upgrade', (r, peer, first) => {
    const lines = [`HTTP/1.1 101 Switching Protocols`];
    for (let i = 0; i < r.rawHeaders.length; i += 2) lines.push(`${r.rawHeaders[i]}: ${r.rawHeaders[i + 1]}`);
    socket.write(lines.join('\r\n') + '\r\n\r\n');
    if (first.length) socket.write(first);
    if (head.length) peer.write(head);
    peer.pipe(socket).pipe(peer);
    peer.on('error', () => socket.destroy());
    socket.on('error', () => peer.destroy());
  });
  up.on('response', () => socket.destroy());
  up.on('error', () => socket.destroy());
  up.end();
});
server.listen(Number(opt.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${opt.port}/`));
