// The trace pages in the browser. The answers are made here, in the form of Tempo's API: what is tested is the drawing.

const kv = (key, stringValue) => ({ key, value: { stringValue } });
const at = (ns) => String(1700000000000000000n + BigInt(ns));
const id = (n) => n.toString(16).padStart(16, '0');
const evil = '<img src=x onerror="window.__xss=30">';

function bigTrace(count) {
  const spans = Array.from({ length: count }, (_, i) => ({ spanId: id(i + 1), parentSpanId: i ? id(((i - 1) >> 1) + 1) : '', name: i === 3 ? evil : `step ${i}`, kind: 2, startTimeUnixNano: at(i * 1000), endTimeUnixNano: at(count * 1000 + 5000000 - i * 100), status: i === 5 ? { code: 2, message: 'it broke' } : {}, attributes: [kv('http.route', `/r/${i}`)], events: i === 5 ? [{ timeUnixNano: at(7000), name: 'exception', attributes: [kv('exception.message', 'boom')] }] : [] }));
  return { trace: { resourceSpans: ['front', 'back'].map((name, k) => ({ resource: { attributes: [kv('service.name', name)] }, scopeSpans: [{ scope: { name: 'lib' }, spans: spans.filter((_, i) => i % 2 === k) }] })) } };
}

export async function traces({ page, base, test, check, until }) {
  const json = (body) => (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) });
  await page.route('**/tempo/api/search?**', json({ traces: [{ traceID: 'abc1', rootServiceName: 'front', rootTraceName: 'GET /', startTimeUnixNano: at(0), durationMs: 42 }] }));
  await page.route('**/tempo/api/v2/traces/**', json(bigTrace(20000)));

  await test('traces found are listed and lead to their waterfall', async () => {
    await page.goto(`${base}/traces?from=now-1h&to=now&refresh=`);
    await page.locator('a', { hasText: 'GET /' }).click();
    await page.waitForURL(/\/trace\/abc1/);
    await until('the spans', async () => (await page.locator('.tr-row').count()) > 10);
    check((await page.locator('.tr-row').count()) < 120, 'all 20,000 spans are in the page');
    check((await page.locator('.page-head').innerText()).includes('20000 spans, 2 services'), await page.locator('.page-head').innerText());
    check((await page.evaluate(() => window.__xss)) === undefined, 'a span ran code');
  });
  await test('a span opens with its events; the tree closes; words narrow it', async () => {
    await page.locator('input[aria-label="Spans that contain"]').fill('/r/5');
    await until('fewer spans', async () => (await page.locator('.tr-row').first().innerText()).includes('step'));
    await page.locator('.tr-row').first().click();
    await until('its details', async () => /boom|it broke|http.route/.test(await page.locator('.tr-details').innerText()));
    await page.locator('input[aria-label="Spans that contain"]').fill('');
    await page.locator('.tr-row .tr-flip[aria-label="Close"]').first().click();
    await until('the root alone', async () => (await page.locator('.tr-row').count()) === 1);
  });
  await page.unroute('**/tempo/api/search?**');
  await page.unroute('**/tempo/api/v2/traces/**');
}
