// Two things that people feel in a dashboard: how long a refresh of 30 panels takes over 10,000 series and
// six hours, and whether zooming a chart of 20 series keeps up with the screen.
//
//   node bench/ui_dashboard.mjs [--pharos build/pharos] [--series 10000] [--hours 6] [--rounds 7] [--cold]
//
// Starts a Pharos of its own on an empty directory, loads it by build/bench/bench_ingest and opens headless
// Chromium. CPU figures (the server's and the page's main thread) are what can be compared on a busy machine. With
// --cold no answer is kept: what a first look at a range takes.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, '../tests/ui/'));
const { chromium } = require('playwright-core');
const { values: opt } = parseArgs({
  options: {
    pharos: { type: 'string', default: join(here, '../build/pharos') },
    series: { type: 'string', default: '10000' },
    hours: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '7' },
    cold: { type: 'boolean', default: false },
  },
});
const rounds = Number(opt.rounds);
const work = mkdtempSync(join(tmpdir(), 'pharos-bench-'));
const port = await new Promise((done) => { const s = createServer(); s.listen(0, '127.0.0.1', () => { const { port: p } = s.address(); s.close(() => done(p)); }); });
const base = `http://127.0.0.1:${port}`;
const server = spawn(opt.pharos, ['serve', '--data', join(work, 'data'), '--set', 'doors.all=off', '--set', `main.listen=127.0.0.1:${port}`, '--set', 'host.collect=off', ...(opt.cold ? ['--set', 'limits.query.cache=0'] : [])], { stdio: 'ignore' });

const median = (list) => list.slice().sort((a, b) => a - b)[list.length >> 1];
const say = (what, list, digits = 0) => console.log(`${what.padEnd(58)} median ${median(list).toFixed(digits).padStart(6)}   from ${Math.min(...list).toFixed(digits)} to ${Math.max(...list).toFixed(digits)}`);
/** Milliseconds of CPU the server has taken. */
const serverCpu = () => {
  const f = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(f[11]) + Number(f[12])) * 10;
};

const QUERIES = [
  'sum by (job) (rate(http_requests_total[5m]))', 'sum by (code) (rate(http_requests_total[5m]))', 'sum by (handler) (rate(http_requests_total[5m]))',
  'sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))', 'topk(5, sum by (instance) (rate(http_requests_total[5m])))',
  'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))', 'histogram_quantile(0.5, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))',
  'sum(rate(http_request_duration_seconds_sum[5m])) / sum(rate(http_request_duration_seconds_count[5m]))', 'sum by (mode) (rate(node_cpu_seconds_total[5m]))',
  'avg by (job) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))', 'max by (job) (node_load1)', 'avg(node_load1)', 'sum by (device) (rate(node_network_receive_bytes_total[5m]))',
  'sum(rate(node_network_receive_bytes_total[5m]))', 'min by (mountpoint) (node_filesystem_avail_bytes / node_filesystem_size_bytes)', 'sum by (job) (node_memory_MemAvailable_bytes)',
  'count by (job) (up)', 'sum(up)', 'quantile(0.9, node_load1)', 'stddev by (job) (node_load1)', 'topk(10, node_load1)', 'sum by (job) (increase(http_requests_total[10m]))',
  'max by (job) (rate(http_requests_total[5m]))', 'sum by (code, job) (rate(http_requests_total[5m]))', 'sum by (handler) (rate(http_request_duration_seconds_count[5m]))',
  'sum by (job) (rate(node_cpu_seconds_total{mode="system"}[5m]))', 'count(node_load1 > 1)', 'avg by (job) (node_memory_MemAvailable_bytes)', 'sum by (le) (rate(http_request_duration_seconds_bucket{le=~"0.1|1"}[5m]))',
  'avg_over_time(sum(up)[30m:1m])',
];
const prom = { type: 'prometheus', uid: 'prometheus' };
const save = (dashboard) => fetch(`${base}/api/dashboards/db`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ overwrite: true, dashboard: { schemaVersion: 42, refresh: '', ...dashboard } }) });

let browser;
try {
  for (let k = 0; k < 200 && !(await fetch(`${base}/-/ready`).then((r) => r.ok, () => false)); k++) await new Promise((r) => setTimeout(r, 50));
  const requests = Math.round((Number(opt.hours) * 3600) / 15);
  const start = Math.floor(Date.now() / 1000) - requests * 15;
  await new Promise((done, fail) => {
    const load = spawn(join(here, '../build/bench/bench_ingest'), ['--url', `${base}/prometheus/api/v1/write`, '--shape', 'service', '--connections', '1', '--series', opt.series, '--requests', String(requests), '--start', String(start)], { stdio: 'ignore' });
    load.on('exit', (code) => (code ? fail(new Error(`bench_ingest ended with ${code}`)) : done()));
  });
  await save({ uid: 'thirty', title: 'Thirty', time: { from: `now-${opt.hours}h`, to: 'now' }, panels: QUERIES.map((expr, i) => ({ id: i + 1, type: 'timeseries', title: `P${i}`, gridPos: { x: (i % 6) * 4, y: Math.floor(i / 6) * 6, w: 4, h: 6 }, datasource: prom, targets: [{ refId: 'A', expr, legendFormat: '__auto' }] })) });
  await save({ uid: 'zoom', title: 'Zoom', time: { from: 'now-1h', to: 'now' }, panels: [{ id: 1, type: 'timeseries', title: 'Twenty', gridPos: { x: 0, y: 0, w: 24, h: 20 }, datasource: prom, targets: [{ refId: 'A', expr: 'node_load1{instance=~"web-000[01].*"}', legendFormat: '{{instance}}' }] }] });

  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });
  const page = await (await browser.newContext({ viewport: { width: 1600, height: 1500 } })).newPage();
  const cdp = await page.context().newCDPSession(page);
  // In thread time: what other programs take in between is not the page's.
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const pageCpu = async () => (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value * 1000;
  await page.goto(`${base}/d/thirty?refresh=`);
  const ready = (n) => page.waitForFunction((count) => { const p = [...document.querySelectorAll('.panel-in')]; return p.length === count && p.every((e) => e.dataset.state === 'done'); }, n, { polling: 100, timeout: 120000 });
  await ready(30);
  const failed = await page.locator('.panel-in .failure').allInnerTexts();
  if (failed.length) throw new Error(failed.join(' | '));

  // A refresh as the timer does it asks for what is new; one that the reader asks for asks for all.
  const one = async () => {
    await page.evaluate(() => performance.clearResourceTimings());
    await new Promise((r) => setTimeout(r, 400));
    const cpu = serverCpu();
    const page0 = await pageCpu();
    const ms = await page.evaluate(async () => {
      const seen = () => [...document.querySelectorAll('.panel')].filter((e) => e.getAttribute('aria-busy') === 'true').length;
      const began = performance.now();
      document.querySelector('button[aria-label="Refresh now"]').click();
      await new Promise((done) => {
        // An answer may be there within a frame: what was set and taken away again is seen by the observer alone.
        let busy = false;
        const observer = new MutationObserver(() => (busy = true));
        observer.observe(document.body, { subtree: true, attributeFilter: ['aria-busy'] });
        const look = () => {
          const n = seen();
          if (busy && n === 0) done();
          else if (performance.now() - began > 60000) done();
          else requestAnimationFrame(look);
        };
        look();
      });
      return performance.now() - began;
    });
    // The browser writes its books a little later.
    await page.waitForFunction(() => performance.getEntriesByType('resource').some((e) => /v1\/query$/.test(e.name)), null, { timeout: 5000 }).catch(() => undefined);
    const net = await page.evaluate(() => performance.getEntriesByType('resource').filter((e) => /v1\/query$/.test(e.name)).map((e) => [e.duration, e.responseStart - e.requestStart]));
    return { ms, cpu: serverCpu() - cpu, page: (await pageCpu()) - page0, requests: net.length, net: net[0]?.[0] ?? NaN };
  };
  const all = [];
  for (let k = 0; k < rounds; k++) all.push(await one());
  console.log(`30 panels, ${opt.series} series, ${opt.hours} h; ${all[0].requests} request${all[0].requests === 1 ? '' : 's'} a refresh`);
  say('asked for anew: all panels drawn, ms', all.map((x) => x.ms));
  say('  of it the request, ms', all.map((x) => x.net));
  say('  CPU of the server, ms', all.map((x) => x.cpu));
  say('  CPU of the page, ms', all.map((x) => x.page));

  // The timer's refresh: the page is left to itself. Looking at every frame whether it has come would be CPU as well.
  await page.goto(`${base}/d/thirty?refresh=5s`);
  await ready(30);
  await page.evaluate(() => performance.clearResourceTimings());
  const timer = [];
  for (let k = 0; k < rounds; k++) {
    const cpu = serverCpu();
    const page0 = await pageCpu();
    await page.waitForFunction((n) => performance.getEntriesByType('resource').filter((e) => /v1\/query$/.test(e.name)).length > n, k, { polling: 500, timeout: 60000 });
    await ready(30);
    await new Promise((r) => setTimeout(r, 600));
    const list = await page.evaluate(() => performance.getEntriesByType('resource').filter((e) => /v1\/query$/.test(e.name)).map((e) => e.duration));
    timer.push({ net: list[k], cpu: serverCpu() - cpu, page: (await pageCpu()) - page0 });
  }
  say('by the timer: the request, ms', timer.map((x) => x.net));
  say('  CPU of the server, ms', timer.map((x) => x.cpu));
  say('  CPU of the page, ms', timer.map((x) => x.page));

  // Zooming: the pointer drags over the chart, frame by frame; then the chart is drawn in another range.
  await page.goto(`${base}/d/zoom?refresh=`);
  await ready(1);
  const box = await page.locator('.u-over').boundingBox();
  const frames = [];
  for (let k = 0; k < rounds; k++) {
    await page.evaluate(() => {
      window.frameTimes = [];
      let last = performance.now();
      const tick = (now) => { window.frameTimes.push(now - last); last = now; window.framing = requestAnimationFrame(tick); };
      window.framing = requestAnimationFrame(tick);
    });
    const page0 = await pageCpu();
    await page.mouse.move(box.x + 200, box.y + 200);
    await page.mouse.down();
    for (let i = 0; i < 90; i++) await page.mouse.move(box.x + 200 + i * 8, box.y + 200 + (i % 7));
    const moved = (await pageCpu()) - page0;
    // Taken back without a zoom: the pointer returns to where it began.
    await page.mouse.move(box.x + 201, box.y + 200);
    await page.mouse.up();
    const times = await page.evaluate(() => (cancelAnimationFrame(window.framing), window.frameTimes.slice(2)));
    frames.push({ cpu: moved / 90, worst: Math.max(...times), fps: (times.length * 1000) / times.reduce((a, b) => a + b, 0) });
  }
  const series = await page.locator('.leg').count();
  console.log(`zooming a chart of ${series} series`);
  say('  CPU of the page for a move of the pointer, ms', frames.map((f) => f.cpu), 2);
  say('  frames a second', frames.map((f) => f.fps), 1);
  say('  longest frame, ms', frames.map((f) => f.worst), 1);
} finally {
  await browser?.close();
  server.kill('SIGTERM');
  await new Promise((r) => { server.on('exit', r); setTimeout(r, 5000); });
  rmSync(work, { recursive: true, force: true });
}
