// The log explorer in the browser: lines, their volume, filters by click, surroundings, the live view.

const evil = '<img src=x onerror="window.__xss=20">';

export async function logs({ page, base, test, check, until, drawn }) {
  const push = async (service, lines, extra = {}, labels = {}) => {
    const now = BigInt(Date.now()) * 1000000n;
    const values = lines.map((l, i) => [String(now - BigInt(lines.length - i) * 20000000n), l, { trace_id: '0123456789abcdef0123456789abcdef', ...extra }]);
    const r = await fetch(`${base}/loki/loki/api/v1/push`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ streams: [{ stream: { service_name: service, env: 'test', ...labels }, values }] }) });
    check(r.ok, `push answered ${r.status}: ${await r.text()}`);
  };
  const lines = () => page.locator('.log-text').allInnerTexts();

  await test('log lines are shown with their volume', async () => {
    await push('shop', Array.from({ length: 300 }, (_, i) => (i % 10 === 0 ? `level=error msg="order ${i} failed"` : `level=info msg="order ${i} done"`)));
    await push('bank', [`level=warn msg="${evil}"`, '{"level":"info","account":7}']);
    await push('vault', ['a line with odd labels'], { odd: evil });
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
    await until('the volume in colour', async () => (await drawn(page, 'Lines')).coloured > 30);
    check((await page.locator('.log').count()) < 120, 'all lines are in the page, not only those in view');
    check((await page.evaluate(() => window.__xss)) === undefined, 'a line ran code');
  });
  await test('a level that the stream names is one level in the volume', async () => {
    await push('levelled', ['of a stream with its level'], {}, { level: 'warn' });
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="levelled"}' }] } });
    // Over hours, where a line that has just come lies in a step that has just begun.
    await page.goto(`${base}/logs?from=now-6h&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await until('the line', async () => (await lines()).length > 0);
    await until('the legend', () => page.evaluate(() => /warn\s+Total/.test(document.querySelector('main')?.innerText ?? '')));
    check(!(await page.locator('main').innerText()).includes('warnwarn'), 'the level is said twice');
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
  });
  await test('a value of a field is kept or left out by a click', async () => {
    await page.locator('.lg-field', { hasText: 'service_name' }).click();
    await page.locator('button[aria-label="Only service_name = bank"]').click();
    await until('only the bank', async () => { const t = await lines(); return t.length === 2 && t.every((l) => !l.includes('order')); });
    check(new URL(page.url()).searchParams.get('panes').includes('bank'), page.url());
    // Markup in a line and in a field is text, in the list as in the details.
    await page.locator('.log-line', { hasText: 'img src' }).click();
    await page.locator('.log-details').waitFor();
    check((await page.locator('main img').count()) === 0 && (await page.evaluate(() => window.__xss)) === undefined, 'markup of a line became an element');
    await page.goBack();
    await until('the orders again', async () => (await lines()).some((l) => l.includes('order')));
  });
  await test('markup in a field is text wherever it is shown', async () => {
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="vault"}' }], view: { columns: ['odd'] } } });
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await until('the column', async () => (await page.locator('.log-col').allInnerTexts()).includes(evil));
    await page.locator('.lg-field', { hasText: /^odd/ }).click();
    await until('its value', async () => (await page.locator('.lg-value').allInnerTexts()).some((t) => t.includes('<img')));
    check((await page.locator('main img').count()) === 0 && (await page.evaluate(() => window.__xss)) === undefined, 'markup of a field became an element');
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
  });
  await test('patterns of the lines are found, and one is kept', async () => {
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${encodeURIComponent(JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name=~"shop|front"}' }] } }))}`);
    await until('lines', async () => (await lines()).length > 5);
    await page.locator('button', { hasText: 'Patterns' }).click();
    await until('two patterns', async () => (await page.locator('.lg-patterns tbody tr').count()) >= 2);
    await page.locator('.lg-patterns tr', { hasText: 'order' }).locator('button').first().click();
    await until('orders alone', async () => { const t = await lines(); return t.length > 3 && t.every((l) => l.includes('order')); });
    check(new URL(page.url()).searchParams.get('panes').includes('|>'), page.url());
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
  });
  await test('a part of an answer is shown with what it lacks', async () => {
    const words = 'partial answer: the query looks at more than 10 rows (limits.logs.scan_rows); lines up to then may be missing';
    const asked = [];
    await page.route('**/loki/api/v1/query_range?*', async (route) => {
      asked.push(route.request().headers()['x-pharos-partial-response']);
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), warnings: [words] } });
    });
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
    await until('the warning', async () => (await page.locator('.notice.warn').allInnerTexts()).some((t) => t.includes(words)));
    check(asked.length > 0 && asked.every((h) => h === 'true'), `asked for a part: ${asked}`);
    await page.unroute('**/loki/api/v1/query_range?*');
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
    check((await page.locator('.notice.warn').count()) === 0, 'a warning of an answer that is whole');
  });
  await test('words are searched for and marked', async () => {
    await page.locator('input[aria-label="Lines that contain"]').fill('failed');
    await page.keyboard.press('Enter');
    await until('marked words', async () => (await page.locator('.log mark').count()) > 3 && (await lines()).every((l) => l.includes('failed')));
  });
  await test('a line opens: its labels, its surroundings', async () => {
    await page.locator('.log-line').first().click();
    const details = page.locator('.log-details');
    await details.waitFor();
    check((await details.innerText()).includes('service_name'), await details.innerText());
    await details.locator('button', { hasText: 'Lines around' }).click();
    await until('its neighbours', async () => (await page.locator('dialog .log-text').allInnerTexts()).some((l) => l.includes('done')));
    await page.keyboard.press('Escape');
  });
  await test('the live view shows lines as they come', async () => {
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="live"}' }] } });
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await page.locator('button', { hasText: 'Live' }).click();
    await page.locator('.tag.good', { hasText: 'Live' }).waitFor({ timeout: 60000 });
    await push('live', ['here and now']);
    await until('the line', async () => (await lines()).includes('here and now'));
  });
  await test('numbers from logs are drawn', async () => {
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: 'sum by (service_name) (count_over_time({env="test"}[1m]))' }] } });
    // Grafana's own kind of link.
    await page.goto(`${base}/explore?from=now-5m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await page.waitForURL(/\/logs/);
    await until('lines in colour', async () => page.evaluate(() => { const c = document.querySelector('.lg-numbers canvas'); if (!c?.width) return false; const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height); let n = 0; for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 60 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60; return n > 30; }));
  });
  await test('fields of JSON and logfmt lines are counted, filtered and become columns', async () => {
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="cart"}' }] } });
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await until('lines', async () => (await lines()).length > 5);
    await page.locator('.lg-field', { hasText: /^user/ }).click();
    await page.locator('.lg-share button', { hasText: 'Column' }).click();
    await until('the column', async () => (await page.locator('.log-col').allInnerTexts()).some((t) => /^u\d$/.test(t)));
    const one = (await page.locator('.log-col').first().innerText()).trim();
    await page.locator(`button[aria-label="Only user = ${one}"]`).first().click();
    await until('one user', async () => { const t = await page.locator('.log-col').allInnerTexts(); return t.length > 0 && t.every((x) => x === one); });
    check(JSON.parse(new URL(page.url()).searchParams.get('panes')).a.queries[0].expr === `{service_name="cart"} | json | user="${one}"`, page.url());
    await page.locator('button', { hasText: 'Pretty' }).click();
    await until('indented JSON', async () => (await lines()).some((l) => l.includes('\n  "msg"')));
    await page.locator('button', { hasText: 'Pretty' }).click();
  });
  await test('a link to a line opens it, and its service is a click away', async () => {
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="payment"}' }] } });
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await until('lines', async () => (await lines()).length > 3);
    const text = (await lines())[2];
    await page.evaluate(() => { window.__copied = ''; navigator.clipboard.writeText = (t) => { window.__copied = t; return Promise.resolve(); }; });
    await page.locator('.log-line').nth(2).click();
    await page.locator('.log-actions button', { hasText: 'Link' }).click();
    const link = await until('the link', () => page.evaluate(() => window.__copied));
    await page.locator('.log-actions button', { hasText: 'Metrics of payment' }).click();
    await page.waitForURL(/\/explore/);
    await until('both panes', async () => (await page.locator('[data-pane]').count()) === 2 && (await page.locator('[data-pane="b"] .ex-queries').count()) === 1);
    await page.goto(link);
    await until('the line, open', async () => (await page.locator('.log.focus.open .log-text').allInnerTexts())[0] === text);
  });
  await test('the live view pauses, clears and goes on', async () => {
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="live"}' }] } });
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await page.locator('button', { hasText: 'Live' }).click();
    await page.locator('.tag.good', { hasText: 'Live' }).waitFor({ timeout: 60000 });
    await push('live', ['one']);
    await until('the line', async () => (await lines()).includes('one'));
    await page.locator('button', { hasText: 'Pause' }).click();
    await push('live', ['two']);
    await new Promise((r) => setTimeout(r, 1500));
    check(!(await lines()).includes('two'), 'a paused view moves');
    await page.locator('button', { hasText: 'Go on' }).click();
    await until('the line that came meanwhile', async () => (await lines()).includes('two'));
    await page.locator('button', { hasText: 'Clear' }).click();
    await until('nothing', async () => (await lines()).length === 0);
  });
  await test('50,000 lines are scrolled through with few elements in the page', async () => {
    const now = BigInt(Date.now()) * 1000000n;
    for (let k = 0; k < 10; k++) {
      const values = Array.from({ length: 5200 }, (_, i) => [String(now - BigInt(k * 5200 + i) * 1000000n), `level=info n=${k * 5200 + i} msg="a line among many"`]);
      const r = await fetch(`${base}/loki/loki/api/v1/push`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ streams: [{ stream: { service_name: 'many' }, values }] }) });
      check(r.ok, await r.text());
    }
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="many"}' }] } });
    await page.goto(`${base}/logs?from=now-15m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await until('lines', async () => (await lines()).length > 5);
    const foot = () => page.locator('.lg-foot').innerText();
    let most = 0;
    await until('all of them', async () => {
      await page.evaluate(() => { const el = document.querySelector('.logs'); el.scrollTo(0, el.scrollHeight); });
      most = Math.max(most, await page.locator('.log').count());
      return (await foot()).includes('50,000 lines');
    }, 60);
    for (const part of [0.1, 0.5, 0.9, 0]) {
      await page.evaluate((f) => { const el = document.querySelector('.logs'); el.scrollTo(0, el.scrollHeight * f); }, part);
      await until('the lines there', async () => (await lines()).length > 5);
      most = Math.max(most, await page.locator('.log').count());
    }
    check(most < 120, `${most} lines were in the page at once`);
    check((await page.evaluate(() => document.querySelectorAll('main *').length)) < 2500, 'the page holds too many elements');
    await until('the newest line', async () => (await lines())[0]?.includes('n=0 '));
  });
  await test('the log explorer fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    const panes = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="cart"}' }] } });
    await page.goto(`${base}/logs?from=now-30m&to=now&refresh=&panes=${encodeURIComponent(panes)}`);
    await until('lines', async () => (await lines()).length > 3);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(wide <= 0, `it is ${wide} pixels too wide`);
    await page.setViewportSize({ width: 1300, height: 1000 });
  });
  await test('what log and trace inputs refused stands on the status page, by reason', async () => {
    const send = (path, body) => fetch(`${base}${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    await send('/loki/loki/api/v1/push', { streams: [{ stream: {}, values: [[String(Date.now() * 1e6), 'a line without labels']] }] });
    const future = String(BigInt(Date.now() + 400 * 86400_000) * 1000000n);
    await send('/loki/loki/api/v1/push', { streams: [{ stream: { service_name: 'late' }, values: [[future, 'from next year']] }] });
    await send('/otlp/v1/traces', { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: '00000000000000000000000000000000', spanId: '0000000000000000', name: 'nothing', startTimeUnixNano: '1', endTimeUnixNano: '2' }] }] }] });
    await page.goto(`${base}/status?refresh=1s`);
    const rows = () => page.locator('table.refused tbody tr').allInnerTexts();
    await until('the reasons', async () => { const t = (await rows()).join('\n'); return /loki lines\s+missing_labels/.test(t) && /otlp\s+invalid_id/.test(t) && /too_new/.test(t); });
  });
}
