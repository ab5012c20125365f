// The page Inputs in the browser: a StatsD daemon and carbon that got good and bad lines, and a StatsD proxy
// before that daemon. Servers of its own: these doors have no prefix on the main one.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import { join } from 'node:path';

const sendUdp = (port, text) => new Promise((done, fail) => { const s = createSocket('udp4'); s.send(text, port, '127.0.0.1', (e) => { s.close(); e ? fail(e) : done(); }); });
const sendTcp = (port, text) => new Promise((done, fail) => { const s = createConnection(port, '127.0.0.1', () => s.end(text, done)); s.on('error', fail); });

export async function inputs({ browser, test, until, check, bin, work, freePort }) {
  const [main, statsd, admin, carbon, proxyMain, proxyPort, proxyAdmin, nobody, nobodyAdmin] = await Promise.all(Array.from({ length: 9 }, freePort));
  const off = ['prometheus', 'otlp', 'otlp_grpc', 'loki', 'graphite_pickle', 'graphite_http', 'elastic', 'syslog', 'gelf', 'forward', 'lumberjack', 'tempo',
    'zipkin', 'jaeger', 'jaeger_grpc', 'jaeger_collector', 'jaeger_collector_grpc', 'jaeger_compact', 'jaeger_binary'].map((d) => `doors.${d}.listen=off`);
  const start = (name, port, ...sets) => spawn(bin, ['serve', '--data', join(work, name), ...[`main.listen=127.0.0.1:${port}`, 'host.collect=off', ...off, ...sets].flatMap((s) => ['--set', s])], { stdio: 'ignore' });
  const servers = [
    start('inputs', main, `doors.statsd.listen=127.0.0.1:${statsd}`, `statsd.admin.listen=127.0.0.1:${admin}`, `doors.graphite.listen=127.0.0.1:${carbon}`, 'statsd.flush_interval=500ms'),
    start('proxy', proxyMain, `doors.statsd.listen=127.0.0.1:${proxyPort}`, `statsd.admin.listen=127.0.0.1:${proxyAdmin}`, 'doors.graphite.listen=off',
      `statsd.proxy.nodes=127.0.0.1:${statsd}:${admin}, 127.0.0.1:${nobody}:${nobodyAdmin}`, 'statsd.proxy.check_interval=500ms'),
  ];
  try {
    for (const port of [main, proxyMain]) await until('the servers', () => fetch(`http://127.0.0.1:${port}/-/ready`).then((r) => r.ok).catch(() => false));
    const page = await (await browser.newContext({ viewport: { width: 1300, height: 1000 } })).newPage();
    const section = (title) => page.locator(`section[aria-label="${title}"]`);
    const sending = setInterval(() => { void sendUdp(statsd, 'shop.hits:1|c|#host:web1\nshop.lat:12|ms\nno sense\nshop.odd:1|zz'); void sendTcp(carbon, `servers.web1.load 1.5 ${Math.floor(Date.now() / 1000)}\nbad line here\n`); }, 300);
    try {
      await test('the inputs page shows StatsD: names, rates, refusals with the last one, senders', async () => {
        await page.goto(`http://127.0.0.1:${main}/inputs`);
        const all = () => section('StatsD').innerText();
        await until('a name', async () => /shop\.hits[\s\S]*counter/.test(await all()));
        await until('refusals', async () => { const t = await all(); return /bad_type\s+\d+/.test(t) && t.includes('shop.odd:1|zz') && /no_value\s+\d+/.test(t); });
        await until('who sends', async () => /127\.0\.0\.1\s+UDP\s+\d/.test(await all()));
        await until('a rate', async () => { const n = await section('StatsD').locator('.figures').innerText(); return /Lines\/s\s+[1-9]/i.test(n); });
      });
      await test('the inputs page shows carbon the same way', async () => {
        const all = () => section('Graphite (carbon)').innerText();
        await until('a name', async () => (await all()).includes('servers.web1.load'));
        await until('a refusal', async () => { const t = await all(); return t.includes('bad line here') && /127\.0\.0\.1/.test(t); });
        await until('a rate', async () => /Points\/s\s+[1-9]/i.test(await section('Graphite (carbon)').locator('.figures').innerText()));
      });
    } finally {
      clearInterval(sending);
    }
    await test("the inputs page shows the proxy's daemons, and which is down", async () => {
      await page.goto(`http://127.0.0.1:${proxyMain}/inputs`);
      const rows = () => page.locator('table.in-daemons tbody tr').allInnerTexts();
      await until('one up, one down', async () => { await sendUdp(proxyPort, 'a:1|c\nb:1|c'); const t = await rows(); return t.length === 2 && t.some((r) => r.includes(`:${statsd}`) && /\bup\b/.test(r) && /\s[1-9]/.test(r)) && t.some((r) => r.includes(`:${nobody}`) && r.includes('down')); });
      check((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, 'it is wider than the window');
    });
  } finally {
    for (const s of servers) s.kill();
  }
}
