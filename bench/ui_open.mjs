// Opens a dashboard in headless Chromium, cold, and tells what it costs until every panel in view is drawn.
//
//   node bench/ui_open.mjs http://127.0.0.1:3000 /d/UID?from=now-1h&to=now [rounds]
//
// CPU is the page's main thread (the browser's own count); it is what can be compared on a busy machine.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(fileURLToPath(new URL('../tests/ui/', import.meta.url)));
const { chromium } = require('playwright-core');
const [base, where, rounds = '5'] = process.argv.slice(2);
if (!base || !where) {
  console.error('usage: node bench/ui_open.mjs BASE PATH [ROUNDS]');
  process.exit(2);
}
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });
const figures = [];
for (let k = 0; k < Number(rounds); k++) {
  // A context of its own: nothing is cached.
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 } });
  const page = await context.newPage();
  let requests = 0;
  page.on('request', (r) => /\/(api|prometheus)\//.test(new URL(r.url()).pathname) && requests++);
  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable');
  const began = Date.now();
  await page.goto(base + where);
  await page.waitForFunction(() => {
    const seen = [...document.querySelectorAll('.panel-in')].filter((e) => e.getBoundingClientRect().top < innerHeight);
    return seen.length > 0 && seen.every((e) => e.dataset.state === 'done');
  }, null, { polling: 'raf', timeout: 60000 });
  const drawnMs = Date.now() - began;
  const m = Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((x) => [x.name, x.value]));
  const paintMs = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN);
  const panels = await page.locator('.panel-in[data-state="done"]').count();
  figures.push({ paintMs, drawnMs, cpuMs: m.TaskDuration * 1000, scriptMs: m.ScriptDuration * 1000, heapMb: m.JSHeapUsedSize / 1e6, requests, panels });
  await context.close();
}
await browser.close();
const median = (key) => figures.map((f) => f[key]).sort((a, b) => a - b)[figures.length >> 1];
for (const [key, text] of [['paintMs', 'first paint, ms'], ['drawnMs', 'panels in view drawn, ms'], ['cpuMs', 'CPU of the page, ms'], ['scriptMs', 'of it script, ms'], ['heapMb', 'heap, MB'], ['requests', 'API requests'], ['panels', 'panels drawn']]) {
  const all = figures.map((f) => f[key]);
  console.log(`${text.padEnd(26)} median ${median(key).toFixed(key === 'heapMb' ? 1 : 0).padStart(6)}   from ${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)}`);
}
