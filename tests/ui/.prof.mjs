import { chromium } from 'playwright-core';
const b = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });
const page = await (await b.newContext({ viewport: { width: 1600, height: 1500 } })).newPage();
const cdp = await page.context().newCDPSession(page);
await page.goto(process.argv[2]);
await page.waitForTimeout(5000);
await cdp.send('Profiler.enable'); await cdp.send('Profiler.setSamplingInterval', { interval: 500 }); await cdp.send('Profiler.start');
for (let i = 0; i < 3; i++) { await page.click('button[aria-label="Refresh now"]'); await page.waitForTimeout(3000); }
const { profile } = await cdp.send('Profiler.stop');
const self = new Map(); const dt = profile.timeDeltas; const idx = new Map(profile.nodes.map((n) => [n.id, n]));
profile.samples.forEach((s, i) => { const n = idx.get(s); const f = n.callFrame; const k = `${f.functionName || '(anon)'} ${f.url.split('/').pop()}:${f.lineNumber}:${f.columnNumber}`; self.set(k, (self.get(k) ?? 0) + dt[i] / 1000); });
for (const [k, v] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 30)) console.log(v.toFixed(0).padStart(7), k);
await b.close();
