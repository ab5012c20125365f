// Drives the UI in headless Chromium against a server started for it, and checks what is drawn: the
// pixels of the charts, not only their elements. Prints TAP. UI_ONLY=panels runs that file alone.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { a11y } from './a11y.mjs';
import { alerts, alertsConfig } from './alerts.mjs';
import { dashboards } from './dashboards.mjs';
import { explore } from './explore.mjs';
import { forms } from './forms.mjs';
import { inputs } from './inputs.mjs';
import { lists } from './lists.mjs';
import { logs } from './logs.mjs';
import { panels } from './panels.mjs';
import { panesSuite } from './panes.mjs';
import { services } from './services.mjs';
import { shipped } from './shipped.mjs';
import { sendShop } from './telemetry.mjs';
import { traces } from './traces.mjs';
import { transforms } from './transforms.mjs';

const bin = process.argv[2];
const work = mkdtempSync(join(tmpdir(), 'pharos-ui-'));
const freePort = () => new Promise((done) => { const s = createServer(); s.listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)); }); });
const port = await freePort();
const base = `http://127.0.0.1:${port}`;
const rules = await alertsConfig(work);
const server = spawn(bin, ['serve', '-c', rules.config, '--data', join(work, 'data'), '--set', 'doors.all=off', '--set', `main.listen=127.0.0.1:${port}`, '--set', 'host.interval=1s', '--set', 'span_metrics.interval=1s'], { stdio: 'ignore' });

// `UI_ONLY=logs,traces` runs these files alone, for a quick look while one works on them.
const wanted = (process.env.UI_ONLY ?? '').split(',').filter(Boolean);
const only = (name) => wanted.length === 0 || wanted.includes(name);

const shots = join(dirname(bin), 'screenshots');
let count = 0, failed = 0;
/** A test that fails is tried once more, which its line says: a page may be drawn anew just as it is clicked. */
async function test(name, body) {
  count++;
  let first = '';
  for (let tries = 1; ; tries++) {
    try {
      await body();
      console.log(`ok ${count} - ${name}${first && ` (at the second try; at first: ${first})`}`);
      return;
    } catch (e) {
      if (tries === 1) {
        first = String(e).split('\n')[0];
        continue;
      }
      failed++;
      // What it looked like, beside the build.
      await browser?.contexts()[0]?.pages()[0]?.screenshot({ path: join(shots, `${count}.png`) }).catch(() => undefined);
      console.log(`not ok ${count} - ${name}\n# ${String(e.stack ?? e).split('\n').slice(0, 6).join('\n# ')}`);
      return;
    }
  }
}
function check(holds, what) {
  if (!holds) throw new Error(what);
}
async function until(what, condition, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}
const ask = async (query) => (await (await fetch(`${base}/prometheus/api/v1/query?query=${encodeURIComponent(query)}`)).json()).data?.result ?? [];

// How many pixels of a panel's canvas are in colour (neither grey axis nor background), and a sum that
// changes when the drawing does.
const drawn = (page, panel) => page.evaluate((title) => {
  const body = document.querySelector(`[data-panel="${title}"]`);
  const canvas = body?.querySelector('canvas');
  if (!canvas || !canvas.width) return { coloured: 0, sum: 0 };
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0, sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    const spread = Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
    if (data[i + 3] > 60 && spread > 60) { coloured++; sum = (sum * 31 + i * data[i]) % 2147483647; }
  }
  return { coloured, sum };
}, panel);

let browser;
rmSync(shots, { recursive: true, force: true });
try {
  await until('the server', async () => fetch(`${base}/-/ready`).then((r) => r.ok).catch(() => false));
  // Enough history for rates: several collections.
  await until('the first rates', async () => (await ask('rate(node_cpu_seconds_total{mode="user"}[20s])')).length > 0);
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
  const context = await browser.newContext({ viewport: { width: 1300, height: 1000 } });
  const page = await context.newPage();
  const foreign = [], complaints = [];
  page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:') && !r.url().startsWith('blob:')) foreign.push(r.url()); });
  page.on('console', (m) => { if (m.type() === 'error') complaints.push(m.text()); });
  page.on('pageerror', (e) => complaints.push(String(e)));

  if (only('pages')) {
  await test('the host page draws its charts', async () => {
    await page.goto(`${base}/?from=now-1m&to=now&refresh=5s`);
    for (const panel of ['CPU by mode', 'Load', 'Memory'])
      await until(`${panel} in colour`, async () => (await drawn(page, panel)).coloured > 200);
  });
  await test('the charts move', async () => {
    const before = await drawn(page, 'CPU by mode');
    await until('another drawing', async () => { const now = await drawn(page, 'CPU by mode'); return now.coloured > 200 && now.sum !== before.sum; });
  });
  await test('processes and file systems are listed', async () => {
    // Panels come to life when they are scrolled into view.
    for (let y = 0; y < 6000; y += 600) { await page.mouse.wheel(0, 600); await new Promise((r) => setTimeout(r, 150)); }
    await until('a file system', async () => (await page.locator('table.fs tbody tr').count()) > 0);
    await until('processes', async () => (await page.locator('table.procs tbody tr').count()) > 0);
  });
  await test('dark and light both draw', async () => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const first = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(`${base}/?from=now-1m&to=now&theme=dark`);
    await until('dark charts', async () => (await drawn(page, 'Load')).coloured > 100);
    const dark = await background();
    await page.goto(`${base}/?from=now-1m&to=now&theme=light`);
    await until('light charts', async () => (await drawn(page, 'Load')).coloured > 100);
    check(dark !== (await background()), `both themes have the background ${dark} (first was ${first})`);
  });
  await test('the explorer draws a query that was typed', async () => {
    await page.goto(`${base}/explore?from=now-1m&to=now`);
    const input = page.locator('.q-edit .cm-content, .q-edit textarea').first();
    await input.click();
    await page.locator('[data-ready="true"] .cm-content').first().waitFor({ timeout: 60000 });
    await page.locator('.cm-content').first().click();
    await page.keyboard.type('sum by (mode) (rate(node_cpu_seconds_total[20s]))');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Shift+Enter');
    await until('a drawn result', () => page.evaluate(() => {
      for (const c of document.querySelectorAll('canvas')) {
        if (!c.width) continue;
        const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
        let n = 0;
        for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 60 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60;
        if (n > 200) return true;
      }
      return false;
    }));
    check((await page.locator('text=idle').count()) > 0, 'the legend does not name the mode idle');
  });
  await test('completion offers metrics', async () => {
    await page.goto(`${base}/explore`);
    await page.locator('[data-ready="true"] .cm-content').first().waitFor({ timeout: 60000 });
    await page.locator('.cm-content').first().click();
    await page.keyboard.type('node_mem');
    await until('an offer', async () => (await page.locator('.cm-tooltip-autocomplete li:has-text("node_memory_MemTotal_bytes"), .cm-tooltip-autocomplete li:has-text("node_memory")').count()) > 0);
  });
  await test('a wrong query says what is wrong', async () => {
    await page.goto(`${base}/explore`);
    await page.locator('[data-ready="true"] .cm-content').first().waitFor({ timeout: 60000 });
    await page.locator('.cm-content').first().click();
    await page.keyboard.type('sum(');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Shift+Enter');
    await page.locator('.q-error').first().waitFor({ timeout: 60000 });
    complaints.length = 0; // the browser itself reports the answer 400
  });
  await test('the status page lists the doors', async () => {
    await page.goto(`${base}/status`);
    await until('the doors', async () => (await page.locator('td:has-text("prometheus")').count()) > 0);
  });
  }
  const telemetry = await sendShop(base, { count: 120, spanMs: 1200_000 });
  const suites = { dashboards, transforms, explore, panes: panesSuite, logs, traces, services, alerts, forms, lists, panels, shipped, inputs, a11y };
  for (const [name, suite] of Object.entries(suites)) {
    if (!only(name)) continue;
    await suite({ page, base, test, check, until, drawn, complaints, foreign, telemetry, browser, bin, work, freePort });
    await page.screenshot({ path: join(shots, `${name}.png`) });
  }
  await test('the content security policy allows nothing foreign and no inline script but its own', async () => {
    const html = await (await fetch(`${base}/`)).text();
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? '';
    const of = (name) => policy.split(';').map((d) => d.trim().split(/\s+/)).find((d) => d[0] === name)?.slice(1) ?? [];
    check(of('default-src').join() === "'none'", policy);
    for (const name of ['connect-src', 'font-src']) check(of(name).join() === "'self'", policy);
    check(of('script-src').every((s) => s === "'self'" || /^'sha256-[\w+/=]+'$/.test(s)), policy);
    check(!/https?:|\*|unsafe-eval/.test(policy), policy);
  });
  await test('nothing is asked of anyone else', async () => check(foreign.length === 0, foreign.join(' ')));
  await test('the console stays quiet', async () => check(complaints.length === 0, complaints.join(' | ')));
} finally {
  await browser?.close();
  server.kill('SIGTERM');
  await new Promise((r) => { server.on('exit', r); setTimeout(r, 5000); });
  rules.close();
  rmSync(work, { recursive: true, force: true });
}
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
