// Panes of the explorer with times and queries of their own, fields counted by the server, cells that lead to traces.
import { post, logBody } from './telemetry.mjs';

const panes = (o) => encodeURIComponent(JSON.stringify(o));
const logs = (...exprs) => ({ datasource: 'loki', queries: exprs.map((expr, i) => ({ refId: 'AB'[i], expr })) });

export async function panesSuite({ page, base, test, check, until, complaints }) {
  const param = () => JSON.parse(new URL(page.url()).searchParams.get('panes') ?? '{}');
  const pane = (id) => page.locator(`[data-pane="${id}"]`);

  await test('a pane is set apart in time, keeps its own, and comes back', async () => {
    await page.goto(`${base}/explore?from=now-30m&to=now&refresh=&panes=${panes({ a: logs('{service_name="payment"}'), b: logs('{service_name="cart"}') })}`);
    await until('lines in both', async () => (await pane('a').locator('.log').count()) > 0 && (await pane('b').locator('.log').count()) > 0);
    await pane('b').locator('button[aria-label="Time range of its own"]').click();
    await pane('b').locator('.tp-main').click();
    await page.locator('.tp-pop .row-btn', { hasText: 'Last 5 minutes' }).click();
    await until('its own range in the address', async () => param().b?.view?.time?.from === 'now-5m' && param().b.range.from === 'now-5m');
    check(param().a.view?.time === undefined && new URL(page.url()).searchParams.get('from') === 'now-30m', page.url());
    const asked = () => page.evaluate(() => performance.getEntriesByType('resource').map((e) => new URL(e.name)).filter((u) => u.pathname.endsWith('/query_range')).map((u) => [u.searchParams.get('query'), Number(u.searchParams.get('end')) - Number(u.searchParams.get('start'))]));
    await until('five minutes asked for the right pane', async () => (await asked()).some(([q, span]) => q.includes('cart') && Math.abs(span / 1e9 - 300) < 2));
    await page.evaluate(() => performance.clearResourceTimings());
    // The page's range moves the other pane alone.
    await page.locator('.top button[aria-label="Move the time range back"], header button[aria-label="Move the time range back"]').first().click();
    await until('the other pane asked again', async () => (await asked()).some(([q]) => q.includes('payment')));
    check((await asked()).every(([q, span]) => !q.includes('cart') || span / 1e9 < 302), JSON.stringify(await asked()));
    await page.reload();
    await until('its time after a reload', async () => /5 min/i.test(await pane('b').locator('.tp-text').innerText().catch(() => '')));
    await pane('b').locator('button[aria-label="Time range of its own"]').click();
    await until('the page’s time again', async () => param().b?.view?.time === undefined && (await pane('b').locator('.tp').count()) === 0);
  });
  await test('a link of Grafana whose panes have different ranges opens so', async () => {
    const one = (from, expr) => ({ ...logs(expr), range: { from, to: 'now' } });
    await page.goto(`${base}/explore?refresh=&schemaVersion=1&panes=${panes({ x: one('now-1h', '{service_name="payment"}'), y: one('now-15m', '{service_name="cart"}') })}`);
    await until('both ranges', async () => new URL(page.url()).searchParams.get('from') === 'now-1h' && param().y?.view?.time?.from === 'now-15m');
    check(param().x.view?.time === undefined, 'the first pane has a time of its own');
  });
  await test('several log queries are one list, and what is clicked narrows all of them', async () => {
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${panes({ a: logs('{service_name="payment"}', '{service_name="cart"}') })}`);
    const letters = () => page.locator('.log .ref').allInnerTexts();
    await until('lines of both', async () => { const l = await letters(); return l.includes('A') && l.includes('B'); });
    const times = (await page.locator('.log time').allInnerTexts()).slice(0, 20);
    check(times.every((t, i) => i === 0 || t <= times[i - 1]), `not newest first: ${times.join(' ')}`);
    await until('the volume of both', async () => { const l = (await page.locator('.lg-volume .leg-name').allInnerTexts()).join(); return /A info/.test(l) && /B info/.test(l); });
    await page.locator('input[aria-label="Lines that contain"]').fill('msg');
    await page.locator('input[aria-label="Lines that contain"]').press('Enter');
    await until('both narrowed', async () => param().a.queries.every((q) => q.expr.endsWith('|= "msg"')));
    await page.locator('button[aria-label="Hide query B"]').click();
    await until('one left', async () => (await letters()).length === 0 && (await page.locator('.log').count()) > 0);
    await page.locator('button', { hasText: 'Query' }).last().click();
    check((await page.locator('.q-row').count()) === 3, 'no third query');
  });
  await test('one of two log queries that is wrong says so beside its letter', async () => {
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${panes({ a: logs('{service_name="payment"}', '{service_name="cart"} |') })}`);
    await until('the error', async () => (await page.locator('.q-row').nth(1).locator('.q-error').count()) === 1);
    check((await page.locator('.q-row').nth(0).locator('.q-error').count()) === 0, 'the other has an error too');
    await until('lines of the other', async () => (await page.locator('.log').count()) > 0);
    complaints.length = 0; // the browser itself reports the answer 400
  });
  await test('several trace queries are one list', async () => {
    const q = (refId, query) => ({ refId, query, queryType: 'traceql' });
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=&panes=${panes({ a: { datasource: 'tempo', queries: [q('A', '{ name = "payment.Charge" && status = error }'), q('B', '{ resource.service.name = "payment" }')] } })}`);
    await until('rows of both', async () => { const l = await page.locator('.tr-list .ref').allInnerTexts(); return l.includes('A') && l.includes('B'); });
    const links = await page.locator('.tr-list tbody td:nth-child(3) a').evaluateAll((l) => l.map((a) => a.href));
    check(new Set(links).size === links.length, 'a trace stands there twice');
    check((await page.locator('.tr-list tr', { has: page.locator('.ref >> nth=1') }).count()) > 0, 'no trace is of both');
  });
  await test('fields are counted by the server over the whole range', async () => {
    const at = Date.now() - 120_000;
    const lines = Array.from({ length: 6000 }, (_, i) => ({ timeUnixNano: String(BigInt(at - i) * 1_000_000n), severityText: 'INFO', body: { stringValue: JSON.stringify({ zone: i < 1500 ? 'new' : 'old', n: i }) }, attributes: [] }));
    await post(base, 'logs', logBody({ counted: lines }));
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${panes({ a: logs('{service_name="counted"}') })}`);
    await until('lines', async () => (await page.locator('.log').count()) > 3);
    await page.locator('.lg-field', { hasText: 'zone' }).click();
    await until('the count of all', async () => /6,000 lines in the range/.test(await page.locator('.lg-share').innerText().catch(() => '')));
    const values = (await page.locator('.lg-value').allInnerTexts()).map((t) => t.replace(/\s+/g, ' ').trim());
    check(/^old 75%/.test(values[0]) && /^new 25%/.test(values[1]), values.join(' | '));
  });
  await test('a cell of the heat map leads to its traces', async () => {
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=&panes=${panes({ a: { datasource: 'tempo', queries: [{ refId: 'A', query: '{ resource.service.name = "front" }', queryType: 'traceql' }] } })}`);
    const heat = page.locator('[data-panel="Durations"]');
    await until('the heat map', async () => (await heat.getAttribute('data-state')) === 'done' && (await heat.locator('canvas').count()) === 1);
    // The middle of the first cell that is drawn.
    const cell = await until('a cell', () => heat.evaluate((el) => {
      const c = el.querySelector('canvas');
      const over = el.querySelector('.u-over').getBoundingClientRect();
      const box = c.getBoundingClientRect();
      const k = c.width / box.width;
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      const hot = (x, y) => { const i = (y * c.width + x) * 4; return data[i + 3] > 200 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 40; };
      for (let y = Math.round((over.top - box.top) * k); y < (over.bottom - box.top) * k - 4; y++)
        for (let x = Math.round((over.left - box.left) * k) + 6; x < (over.right - box.left) * k - 4; x++)
          if (hot(x, y) && hot(x + 2, y + 2)) return { x: x / k + box.left - over.left + 2, y: y / k + box.top - over.top + 2 };
      return null;
    }));
    await heat.locator('.u-over').click({ position: cell });
    await until('a pane beside with the traces of the cell', async () => (await pane('b').locator('.tr-list tbody tr').count()) > 0);
    const b = param().b;
    check(/duration > .*duration <= /.test(b.queries[0].query) && Number(b.view.time.to) > Number(b.view.time.from), JSON.stringify(b));
  });
}
