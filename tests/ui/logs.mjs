// The log explorer in the browser: lines, their volume, filters by click, surroundings, the live view.

const evil = '<img src=x onerror="window.__xss=20">';

export async function logs({ page, base, test, check, until, drawn }) {
  const push = async (service, lines, extra = {}) => {
    const now = BigInt(Date.now()) * 1000000n;
    const values = lines.map((l, i) => [String(now - BigInt(lines.length - i) * 20000000n), l, { trace_id: '0123456789abcdef0123456789abcdef', ...extra }]);
    const r = await fetch(`${base}/loki/loki/api/v1/push`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ streams: [{ stream: { service_name: service, env: 'test' }, values }] }) });
    check(r.ok, `push answered ${r.status}: ${await r.text()}`);
  };
  const lines = () => page.locator('.log-text').allInnerTexts();

  await test('log lines are shown with their volume', async () => {
    await push('shop', Array.from({ length: 300 }, (_, i) => (i % 10 === 0 ? `level=error msg="order ${i} failed"` : `level=info msg="order ${i} done"`)));
    await push('bank', [`level=warn msg="${evil}"`, '{"level":"info","account":7}']);
    await page.goto(`${base}/logs?from=now-5m&to=now&refresh=`);
    await until('lines', async () => (await lines()).some((l) => l.includes('order')));
    await until('the volume in colour', async () => (await drawn(page, 'Lines')).coloured > 30);
    check((await page.locator('.log').count()) < 120, 'all lines are in the page, not only those in view');
    check((await page.evaluate(() => window.__xss)) === undefined, 'a line ran code');
  });
  await test('a value of a field is kept or left out by a click', async () => {
    await page.locator('.lg-field', { hasText: 'service_name' }).click();
    await page.locator('button[aria-label="Only service_name = bank"]').click();
    await until('only the bank', async () => { const t = await lines(); return t.length === 2 && t.every((l) => !l.includes('order')); });
    check(new URL(page.url()).searchParams.get('panes').includes('bank'), page.url());
    await page.goBack();
    await until('the orders again', async () => (await lines()).some((l) => l.includes('order')));
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
    await page.locator('.tag.good', { hasText: 'Live' }).waitFor({ timeout: 10000 });
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
}
