// Scrolls through a long list of the UI in headless Chromium, frame by frame, and tells what each frame costs.
//
//   node bench/ui_scroll.mjs http://127.0.0.1:3000 '/logs?from=now-1h&to=now&refresh=' .logs [SECONDS] [UNTIL]
//
// With UNTIL it first scrolls to the end until the page says that text ("50,000 lines"). CPU is what the page's main thread
// used (Performance.getMetrics in thread time): the time a frame takes is other programs' as well on a busy
// machine.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(fileURLToPath(new URL('../tests/ui/', import.meta.url)));
const { chromium } = require('playwright-core');
const [base, where, selector, seconds = '5', until = ''] = process.argv.slice(2);
if (!base || !where || !selector) {
  console.error('usage: node bench/ui_scroll.mjs BASE PATH SELECTOR [SECONDS] [UNTIL]');
  process.exit(2);
}
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });
const context = await browser.newContext({ viewport: { width: 1400, height: 1000 } });
const page = await context.newPage();
const cdp = await context.newCDPSession(page);
await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
const metrics = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((x) => [x.name, x.value]));
await page.goto(base + where);
await page.waitForFunction((s) => { const e = document.querySelector(s); return e && e.scrollHeight > e.clientHeight * 2; }, selector, { timeout: 60000 });
const opened = await metrics();
while (until && !(await page.locator('main').innerText()).includes(until)) {
  await page.evaluate((s) => { const e = document.querySelector(s); e.scrollTo(0, e.scrollHeight); }, selector);
  await page.waitForTimeout(100);
}
await page.evaluate((s) => document.querySelector(s).scrollTo(0, 0), selector);
await page.waitForTimeout(500);
const before = await metrics();
const frames = await page.evaluate(({ s, ms }) => new Promise((done) => {
  const e = document.querySelector(s);
  const at = [];
  let most = 0;
  const began = performance.now();
  const step = (now) => {
    at.push(now);
    e.scrollTop += 60;
    most = Math.max(most, document.querySelectorAll('main *').length);
    if (now - began < ms) requestAnimationFrame(step);
    else done({ deltas: at.slice(1).map((t, i) => t - at[i]), most, rows: e.scrollTop / 60, height: e.scrollHeight });
  };
  requestAnimationFrame(step);
}), { s: selector, ms: Number(seconds) * 1000 });
const after = await metrics();
await browser.close();
const n = frames.deltas.length;
const sorted = frames.deltas.slice().sort((a, b) => a - b);
const per = (name) => (((after[name] - before[name]) * 1000) / n).toFixed(2);
console.log(`frames                        ${n} in ${seconds} s, ${(n / Number(seconds)).toFixed(1)} a second`);
console.log(`between two, ms               median ${sorted[n >> 1].toFixed(1)}, 95th ${sorted[Math.floor(n * 0.95)].toFixed(1)}, longest ${sorted[n - 1].toFixed(1)}`);
console.log(`main thread a frame, ms       ${per('TaskDuration')}, of it script ${per('ScriptDuration')}, layout ${per('LayoutDuration')}, styles ${per('RecalcStyleDuration')}`);
console.log(`elements in the page, most    ${frames.most}`);
console.log(`height of the list, pixels    ${frames.height}`);
console.log(`heap, MB                      ${(after.JSHeapUsedSize / 1e6).toFixed(1)} (${(opened.JSHeapUsedSize / 1e6).toFixed(1)} with the first rows)`);
