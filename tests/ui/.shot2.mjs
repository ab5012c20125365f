import { chromium } from 'playwright-core';
// usage: node shot.mjs out.png path [w h] [theme] [script]
const [out, path, w = '1300', h = '900', theme = 'dark', js] = process.argv.slice(2);
const b = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });
const c = await b.newContext({ viewport: { width: +w, height: +h }, colorScheme: theme });
const p = await c.newPage();
p.on('console', (m) => ['error', 'warning'].includes(m.type()) && console.log('console', m.text()));
p.on('pageerror', (e) => console.log('pageerror', e.stack));
await p.goto('http://127.0.0.1:4712' + path + (path.includes('?') ? '&' : '?') + 'theme=' + theme);
await p.waitForTimeout(2500);
if (js) { const f = new (Object.getPrototypeOf(async function () {}).constructor)('page', js); await f(p); await p.waitForTimeout(600); }
await p.screenshot({ path: out });
await b.close();
