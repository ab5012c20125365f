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
    await page.locator('.failure', { hasText: /line 1|col/ }).first().waitFor({ timeout: 15000 });
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
}
