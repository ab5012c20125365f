// The explorer in the browser, over the real doors: builder and code, two panes over one time, the history, the
// inspector, downloads, and the ways from one signal to another.
import { readFileSync } from 'node:fs';

const panes = (o) => encodeURIComponent(JSON.stringify(o));

export async function explore({ page, base, test, check, until, drawn }) {
  const param = () => JSON.parse(new URL(page.url()).searchParams.get('panes') ?? '{}');
  const queryOf = (id = 'a') => { const q = param()[id]?.queries?.[0]; return q?.expr ?? q?.query ?? ''; };
  const pane = (id) => page.locator(`[data-pane="${id}"]`);
  const coloured = (selector) => page.evaluate((s) => [...document.querySelectorAll(s)].some((c) => {
    if (!c.width) return false;
    const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 60 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60;
    return n > 100;
  }), selector);
  const saved = async (click) => {
    const [download] = await Promise.all([page.waitForEvent('download'), click()]);
    return readFileSync(await download.path(), 'utf8');
  };

  await test('a metric query is put together from parts', async () => {
    await page.goto(`${base}/explore?from=now-1m&to=now&refresh=5s&panes=${panes({ a: { datasource: 'prometheus', queries: [{ refId: 'A', expr: 'rate(node_cpu_seconds_total{mode!="idle"}[20s])' }], view: { builder: true } } })}`);
    check((await page.locator('input[aria-label="Metric"]').inputValue()) === 'node_cpu_seconds_total', 'the metric of the query is not in its place');
    await page.locator('select[aria-label="Add an operation"]').selectOption('sum');
    await page.locator('input[aria-label="Label for sum"]').fill('mode');
    await page.locator('input[aria-label="Label for sum"]').press('Enter');
    await until('the query', () => queryOf() === 'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[20s]))');
    await until('its lines', () => coloured('.ex-results canvas'));
    // The server suggests the values of a label.
    await page.locator('input[aria-label="Label 1, value"]').focus();
    await until('values', async () => (await page.locator('datalist option[value="user"]').count()) > 0);
  });
  await test('a query that says more than the builder can show is kept', async () => {
    await page.goto(`${base}/explore?from=now-2m&to=now&refresh=&panes=${panes({ a: { datasource: 'prometheus', queries: [{ refId: 'A', expr: 'up + on () group_left vector(1)' }], view: { builder: true } } })}`);
    await page.locator('button', { hasText: 'Edit as code' }).click();
    await until('the text', async () => (await page.locator('.cm-content').first().innerText()).includes('group_left'));
  });
  await test('the inspector shows answer, statistics and plan', async () => {
    await page.goto(`${base}/explore?from=now-2m&to=now&refresh=&panes=${panes({ a: { datasource: 'prometheus', queries: [{ refId: 'A', expr: 'sum(rate(node_cpu_seconds_total[20s]))' }] } })}`);
    await page.locator('button[aria-label="Inspect"]').click();
    const tab = (name) => page.locator('.inspector [role=tab]', { hasText: name }).click();
    await until('the answer', async () => (await page.locator('.inspector pre').allInnerTexts()).some((t) => t.includes('"resultType": "matrix"')));
    check((await saved(() => page.locator('.inspector button', { hasText: 'JSON' }).click())).includes('"status": "success"'), 'the download is not the answer');
    await tab('Statistics');
    check(/seconds until the answer/.test(await page.locator('.inspect-body').innerText()), 'no statistics');
    await tab('Plan');
    check(/node_cpu_seconds_total/.test(await page.locator('.inspector pre').innerText()), await page.locator('.inspect-body').innerText());
    await tab('Request');
    check((await page.locator('.inspector pre').innerText()).includes('/prometheus/api/v1/query_range'), 'no request');
    await page.keyboard.press('Escape');
  });
  await test('what was run is in the history of its signal', async () => {
    await page.locator('button[aria-label="History"]').click();
    const row = page.locator('.hist-row', { hasText: 'sum(rate(node_cpu_seconds_total[20s]))' });
    await row.waitFor();
    await row.locator('button[aria-label="Keep"]').click();
    await page.locator('.hist input').fill('group_left');
    await page.locator('.hist-expr', { hasText: 'group_left' }).click();
    await until('the older query', () => queryOf().includes('group_left'));
    await page.locator('.pane-head [role=tab]', { hasText: 'Logs' }).click();
    await page.waitForURL(/\/logs/);
    await page.locator('button[aria-label="History"]').click();
    await page.locator('.hist').waitFor();
    check((await page.locator('.hist-row', { hasText: 'node_cpu' }).count()) === 0, 'metric queries are in the history of logs');
    await page.keyboard.press('Escape');
  });
  await test('two panes stand beside each other over the same time', async () => {
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${panes({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="payment"}' }] } })}`);
    await page.locator('button[aria-label="Split"]').click();
    await page.locator('.split-menu button', { hasText: 'Traces beside' }).click();
    await page.waitForURL(/\/explore/);
    await until('the traces of the same service', () => queryOf('b') === '{ resource.service.name = "payment" }');
    await until('lines on the left', async () => (await pane('a').locator('.log').count()) > 3);
    await until('traces on the right', async () => (await pane('b').locator('.tr-list tbody tr').count()) > 3);
    const before = await page.evaluate(() => performance.getEntriesByType('resource').length);
    await page.evaluate(() => performance.clearResourceTimings());
    await page.locator('button[aria-label*="earlier"], button[title*="back" i]').first().click();
    await until('both asked again', () => page.evaluate(() => { const n = performance.getEntriesByType('resource').map((e) => e.name); return n.some((x) => x.includes('/loki/')) && n.some((x) => x.includes('/tempo/api/search')); }));
    check(before >= 0 && new URL(page.url()).searchParams.get('from') !== 'now-30m', page.url());
    await page.reload();
    await until('both again', async () => (await pane('a').count()) === 1 && (await pane('b').count()) === 1);
    await pane('b').locator('button[aria-label="Close this pane"]').click();
    await page.waitForURL(/\/logs/);
    check((await pane('b').count()) === 0, 'the pane is still there');
  });
  await test('one service leads from logs to its metrics and traces', async () => {
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${panes({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="payment"} |= "declined"' }] } })}`);
    await page.locator('.pane-head [role=tab]', { hasText: 'Traces' }).click();
    await page.waitForURL(/\/traces/);
    await until('its traces', () => queryOf() === '{ resource.service.name = "payment" }');
    await page.locator('.pane-head [role=tab]', { hasText: 'Metrics' }).click();
    await page.waitForURL(/\/explore/);
    await until('its metrics', () => queryOf().includes('payment'));
    await page.goBack();
    await page.goBack();
    await until('the lines again', () => queryOf().includes('declined'));
  });
  await test('lines and traces go into files', async () => {
    await until('lines', async () => (await page.locator('.log').count()) > 0);
    check(/^time,level,line,labels\r\n.*card declined/s.test(await saved(() => page.locator('button[title="Download the lines as CSV"]').click())), 'no CSV of the lines');
    const lines = JSON.parse(await saved(() => page.locator('button[title="Download the lines as JSON"]').click()));
    check(lines[0].fields.trace_id?.length === 32 && lines[0].labels.service_name === 'payment', JSON.stringify(lines[0]));
    await page.goto(`${base}/traces?from=now-30m&to=now&refresh=`);
    await until('traces', async () => (await page.locator('.tr-list tbody tr').count()) > 3);
    check(JSON.parse(await saved(() => page.locator('button[title="Download the list as JSON"]').click())).length > 3, 'no JSON of the traces');
  });
  await test('TraceQL completes with attributes and values of the server', async () => {
    await page.locator('[data-ready="true"] .cm-content').first().waitFor({ timeout: 60000 });
    await page.locator('.cm-content').first().click();
    await page.keyboard.type('{ resource.service.n');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'resource.service.name' }).first().waitFor({ timeout: 60000 });
    await page.keyboard.type('ame = "pay');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'payment' }).first().waitFor({ timeout: 60000 });
    await page.keyboard.press('Escape');
  });
  await test('a builder of logs counts lines by level', async () => {
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${panes({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="payment"}' }], view: { builder: true } } })}`);
    await page.locator('select[aria-label="What to show"]').selectOption('count_over_time');
    await page.locator('input[aria-label="Label to group by"]').fill('detected_level');
    await page.locator('input[aria-label="Label to group by"]').press('Enter');
    await until('the query', () => queryOf() === 'sum by (detected_level) (count_over_time({service_name="payment"} [$__auto]))');
    await until('its bars', () => coloured('.lg-numbers canvas'));
  });
  await test('a panel of a dashboard opens here, whatever its signal', async () => {
    const target = (type, expr) => ({ refId: 'A', [type === 'tempo' ? 'query' : 'expr']: expr, datasource: { type, uid: type } });
    const panel = (id, type, title, t) => ({ id, type, title, gridPos: { x: 0, y: id * 6, w: 24, h: 6 }, targets: [t], datasource: t.datasource });
    const dashboard = { uid: 'tox', title: 'To Explore', schemaVersion: 42, time: { from: 'now-30m', to: 'now' }, panels: [panel(1, 'logs', 'Lines of payment', target('loki', '{service_name="payment"}')), panel(2, 'table', 'Traces of payment', target('tempo', '{ resource.service.name = "payment" }'))] };
    const res = await fetch(`${base}/api/dashboards/db`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dashboard, overwrite: true }) });
    check(res.ok, await res.text());
    for (const [title, url] of [['Lines of payment', /\/logs/], ['Traces of payment', /\/traces/]]) {
      await page.goto(`${base}/d/tox`);
      await until('the panel', async () => (await page.locator(`[data-panel="${title}"][data-state="done"]`).count()) === 1);
      await page.locator(`button[aria-label="Menu of ${title}"]`).dispatchEvent('click');
      await page.locator('.menu button', { hasText: 'Explore' }).click();
      await page.waitForURL(url);
      await until('its query', () => queryOf().includes('payment'));
    }
  });
  await test('two panes stand below each other on a phone', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${base}/explore?from=now-5m&to=now&refresh=&panes=${panes({ a: { datasource: 'prometheus', queries: [{ refId: 'A', expr: 'node_load1' }], view: { builder: true } }, b: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="cart"}' }] } })}`);
    await until('lines', async () => (await pane('b').locator('.log').count()) > 0);
    const [a, b] = [await pane('a').boundingBox(), await pane('b').boundingBox()];
    check(b.y > a.y + 100 && Math.abs(a.x - b.x) < 2, 'the panes are not below each other');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(wide <= 0, `the page is ${wide} pixels too wide`);
    await page.setViewportSize({ width: 1300, height: 1000 });
  });
}
