// The trace pages in the browser, over the real door: search with charts, the waterfall, what leads on from a span.
import { EVIL, sendBig } from './telemetry.mjs';

const BIG = 'b16b00b5b16b00b5b16b00b5b16b00b5';
const panes = (query, view = {}) => encodeURIComponent(JSON.stringify({ a: { datasource: 'tempo', queries: query ? [{ refId: 'A', query }] : [], view } }));

export async function traces({ page, base, test, check, until, drawn, complaints }) {
  const query = () => JSON.parse(new URL(page.url()).searchParams.get('panes') ?? '{"a":{"queries":[]}}').a.queries[0]?.query ?? '';
  await sendBig(base, 20000, BIG);

  await test('traces are found and drawn: rate, durations, heat map', async () => {
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=`);
    await until('traces', async () => (await page.locator('.tr-list tbody tr').count()) > 20);
    for (const panel of ['Spans a second', 'Duration', 'Durations']) await until(`${panel} in colour`, async () => (await drawn(page, panel)).coloured > 30);
    check((await page.evaluate(() => window.__xss)) === undefined, 'a name ran code');
  });
  await test('a search is put together from parts', async () => {
    await page.locator('.pane-head button', { hasText: 'Builder' }).click();
    const service = page.locator('.bl-pick', { hasText: 'Service' }).locator('select');
    await service.focus();
    await until('services', async () => (await service.locator('option').allInnerTexts()).includes('payment'));
    await service.selectOption('payment');
    await page.locator('.bl-pick', { hasText: 'Status' }).locator('select').focus();
    await page.locator('.bl-pick', { hasText: 'Status' }).locator('select').selectOption('error');
    await until('the query', () => query() === '{ resource.service.name = "payment" && status = error }');
    await until('failed traces alone', async () => { const t = await page.locator('.tr-list tbody tr').allInnerTexts(); return t.length > 0 && t.every((x) => x.includes('failed')); });
    await page.locator('button', { hasText: 'Field' }).first().click();
    await page.locator('input[aria-label="Field 1, name"]').fill('duration');
    await page.locator('select[aria-label="Field 1, operator"]').selectOption('>');
    await page.locator('input[aria-label="Field 1, value"]').fill('10s');
    await page.locator('input[aria-label="Field 1, value"]').press('Enter');
    await until('none', async () => (await page.locator('.empty', { hasText: 'No traces match' }).count()) > 0);
  });
  await test('a query that is wrong says where', async () => {
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=&panes=${panes('{ status = }')}`);
    await page.locator('.failure', { hasText: /line 1|col/ }).first().waitFor({ timeout: 60000 });
    await new Promise((r) => setTimeout(r, 300));
    // The browser itself reports the answers 400.
    for (let i = complaints.length - 1; i >= 0; i--) if (/status of 400/.test(complaints[i])) complaints.splice(i, 1);
  });
  await test('a metrics query is drawn', async () => {
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=&panes=${panes('{} | rate() by (resource.service.name)')}`);
    await until('its lines', () => page.evaluate(() => { const c = document.querySelector('.tr-red.one canvas'); if (!c?.width) return false; const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height); let n = 0; for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 60 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60; return n > 60; }));
  });
  await test('20,000 spans open as a waterfall that keeps only what is in view', async () => {
    await page.goto(`${base}/trace/${BIG}?refresh=`);
    await until('the spans', async () => (await page.locator('.tr-row').count()) > 10);
    check((await page.locator('.tr-row').count()) < 120, 'all 20,000 spans are in the page');
    check((await page.locator('.page-head').innerText()).includes('20000 spans, 2 services'), await page.locator('.page-head').innerText());
    await page.evaluate(() => document.querySelector('.tr-rows').scrollTo(0, 1e9));
    await until('the last rows', async () => (await page.locator('.tr-row').count()) > 10 && (await page.locator('.tr-row').first().innerText()) !== '');
    check((await page.locator('.tr-row').count()) < 120, 'scrolling gathers rows');
    check((await page.evaluate(() => window.__xss)) === undefined, 'a span ran code');
  });
  await test('words narrow the waterfall, the tree closes, a name with markup stays text', async () => {
    await page.locator('input[aria-label="Spans that contain"]').fill('img src');
    await until('the span', async () => (await page.locator('.tr-row').count()) === 1);
    await page.locator('.tr-row').first().click();
    await until('its details', async () => (await page.locator('.tr-details').innerText()).includes(EVIL));
    check((await page.locator('.tr-details img, .tr-row img').count()) === 0 && (await page.evaluate(() => window.__xss)) === undefined, 'markup of a span became an element');
    await page.locator('input[aria-label="Spans that contain"]').fill('');
    await page.evaluate(() => document.querySelector('.tr-rows').scrollTo(0, 0));
    await page.locator('.tr-row .tr-flip[aria-label="Close"]').first().click();
    await until('the root alone', async () => (await page.locator('.tr-row').count()) === 1);
  });
  await test('a failed span shows its events, links, log lines and where to go on', async () => {
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=&panes=${panes('{ resource.service.name = "payment" && status = error }')}`);
    await page.locator('.tr-list tbody a').first().click();
    await page.waitForURL(/\/trace\//);
    await until('the spans', async () => (await page.locator('.tr-row').count()) > 5);
    await until('lines of spans', async () => (await page.locator('.tr-dot').count()) > 2);
    await page.locator('.tr-bar button', { hasText: 'Errors' }).click();
    await until('failed spans alone', async () => { const n = await page.locator('.tr-row').count(); return n > 0 && n < 4; });
    await page.locator('.tr-row', { hasText: 'payment' }).locator('.tr-name').last().click();
    const details = page.locator('.tr-details');
    await until('event, message and line', async () => { const t = await details.innerText(); return t.includes('exception.message') && t.includes('card declined') && t.includes('code=51'); });
    check((await details.locator('a[href*="/trace/"]').count()) > 0, 'no linked trace');
    check((await details.locator('a', { hasText: 'Metrics of payment' }).getAttribute('href')).includes('/service/payment'), 'no way to the metrics');
    await page.locator('.tr-bar button', { hasText: 'Errors' }).click();
    await page.locator('.tr-bar button', { hasText: 'Critical path' }).click();
    const critical = await page.locator('.tr-row').count();
    await page.locator('.tr-bar button', { hasText: 'Critical path' }).click();
    check(critical > 0 && critical < (await page.locator('.tr-row').count()), 'the critical path is all of the trace');
  });
  await test('the waterfall is walked with keys and looked at closely', async () => {
    await page.locator('.tr-rows').focus();
    await page.keyboard.press('Escape');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    check((await page.locator('.tr-row[aria-selected="true"]').count()) === 1, 'the arrow keys choose nothing');
    const box = await page.locator('.tr-mini').boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 20, { steps: 4 });
    await page.mouse.up();
    await page.locator('button', { hasText: 'Whole trace' }).click();
    check((await page.locator('button', { hasText: 'Whole trace' }).count()) === 0, 'the whole trace did not come back');
  });
  await test('a trace is also a flame graph and a map of its services', async () => {
    await page.locator('[role=tab]', { hasText: 'Flame graph' }).click();
    await page.locator('.fg-flame').waitFor();
    await page.locator('[role=tab]', { hasText: 'Services' }).click();
    await until('its services', async () => (await page.locator('.ng-node').count()) >= 3);
    check((await page.locator('.ng-edge').count()) >= 2, 'no calls');
  });
  await test('a log line leads to its trace', async () => {
    const logs = encodeURIComponent(JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="payment"} |= "declined"' }] } }));
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${logs}`);
    await page.locator('.log-line').first().click();
    await page.locator('.log-actions a', { hasText: 'Its trace' }).click();
    await page.waitForURL(/\/trace\/[0-9a-f]{32}\?.*span=/);
    await until('the span that logged it', async () => (await page.locator('.tr-details').innerText()).includes('payment.Charge'));
  });
  await test('the trace page fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=`);
    await until('traces', async () => (await page.locator('.tr-list tbody tr').count()) > 5);
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check((await wide()) <= 0, `the search is ${await wide()} pixels too wide`);
    await page.locator('.tr-list tbody a').first().click();
    await until('the spans', async () => (await page.locator('.tr-row').count()) > 2);
    check((await wide()) <= 0, `the trace is ${await wide()} pixels too wide`);
    await page.setViewportSize({ width: 1300, height: 1000 });
  });
}
