// The alerts page in the browser, over rules that are evaluated by the server itself.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const evil = '<img src=x onerror="window.__xss=40">';

const RULES = `groups:
- name: shop
  interval: 1s
  rules:
  - alert: Firing
    expr: label_replace(vector(1.5), "instance", "shop-1", "", "") or label_replace(vector(2), "instance", "shop-2", "", "")
    labels: {severity: page}
    annotations:
      summary: '${evil} on {{ $labels.instance }}'
      runbook: 'see https://runbooks.example/shop. Not javascript:window.__xss=41'
  - {alert: Waiting, expr: vector(3), for: 1d}
  - {alert: Calm, expr: vector(1) > 2}
- name: totals
  interval: 1s
  rules:
  - {record: 'job:ones', expr: vector(1)}
  - {alert: Broken, expr: 'label_join(vector(1), "a b", "", "c") + on() group_left() (label_replace(vector(1), "x", "1", "", "") or label_replace(vector(1), "x", "2", "", ""))'}
`;

/** A configuration with rules, one Alertmanager that takes alerts and one that does not. */
export async function alertsConfig(work) {
  const manager = createServer((req, res) => {
    req.resume();
    req.on('end', () => {
      res.statusCode = req.url.startsWith('/full/') ? 503 : 200;
      res.end(res.statusCode === 503 ? 'no room' : '');
    });
  });
  await new Promise((done) => manager.listen(0, '127.0.0.1', done));
  const target = `127.0.0.1:${manager.address().port}`;
  const config = join(work, 'pharos.yml');
  writeFileSync(join(work, 'rules.yml'), RULES);
  writeFileSync(config, `rule_files: [rules.yml]\nalerting: {alertmanagers: [{static_configs: [{targets: ['${target}']}]}, {path_prefix: /full, static_configs: [{targets: ['${target}']}]}]}\n`);
  return { config, close: () => { manager.closeAllConnections(); manager.close(); } };
}

export async function alerts({ page, base, test, check, until }) {
  const shown = () => page.locator('.al-rule').evaluateAll((rows) => rows.map((r) => r.dataset.rule));
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await test('alerts are shown with their labels, values and notes, and as text only', async () => {
    await page.goto(`${base}/alerts?from=now-5m&to=now&refresh=5s`);
    await until('two firing alerts', async () => (await page.locator('.al-alert.firing').count()) === 2);
    const text = await page.locator('[data-rule="shop/Firing"]').innerText();
    for (const part of ['2 alerts', 'severity=page', 'instance=shop-1', 'value 1.5', evil, 'active '])
      check(text.includes(part), `${part} is not in ${text}`);
    const links = await page.locator('.al-notes a').evaluateAll((as) => as.map((a) => a.href));
    check(links.length === 2 && links.every((l) => l === 'https://runbooks.example/shop'), links.join(' '));
    check((await page.evaluate(() => window.__xss)) === undefined, 'an annotation ran code');
    const figures = await page.locator('.al-figure').evaluateAll((f) => f.map((x) => `${x.dataset.state} ${x.querySelector('b').textContent}`));
    check(figures.join() === 'firing 2,pending 1,inactive 2,recording 1,failing 1', figures.join());
    check((await page.locator('[data-rule="totals/Broken"] .al-error').innerText()).length > 20, 'the failing rule does not say why');
  });
  await test('Alertmanagers say whether they take alerts', async () => {
    await until('both states', async () => (await page.locator('.al-peers li', { hasText: 'does not take alerts' }).count()) === 1 && (await page.locator('.al-peers .tag.good').count()) === 1);
    const text = await page.locator('.al-peers li', { hasText: '/full/api/v2/alerts' }).innerText();
    check(text.includes('answered 503: no room'), text);
  });
  await test('the navigation counts what fires', async () => {
    await page.goto(`${base}/status`);
    await until('the badge', async () => (await page.locator('.nav .badge').count()) === 1);
    check((await page.locator('.nav .badge').innerText()) === '2', await page.locator('.nav .badge').innerText());
    await page.keyboard.press('Control+k');
    await page.locator('.palette input').fill('firing');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/alerts/);
  });
  await test('filters are in the address, and the address opens a rule', async () => {
    await page.goto(`${base}/alerts?state=pending,recording`);
    await until('the two', async () => (await shown()).join() === 'shop/Waiting,totals/job:ones');
    await page.locator('.al-figure[data-state="recording"]').click();
    await until('the one', async () => (await shown()).join() === 'shop/Waiting');
    check(new URL(page.url()).searchParams.get('state') === 'pending', page.url());
    await page.locator('.al-find .btn').click();
    await page.locator('.al-find input').fill('instance=shop-2');
    await until('the alert alone', async () => (await shown()).join() === 'shop/Firing' && (await page.locator('.al-alert').count()) === 1);
    await page.goto(`${base}/alerts?rule=shop/Waiting`);
    await until('the rule opened', async () => (await page.locator('.al-head[aria-expanded="true"]').count()) === 1);
    check((await page.locator('[data-rule="shop/Waiting"] .al-alert.pending').count()) === 1, 'the pending alert is not shown');
    await page.locator('[data-rule="shop/Waiting"] .al-head').click();
    await until('it closed', async () => (await page.locator('.al-head[aria-expanded="true"]').count()) === 0);
    check(!new URL(page.url()).searchParams.has('rule'), page.url());
  });
  await test('an alert leads to its expression', async () => {
    await page.goto(`${base}/alerts?rule=shop/Waiting`);
    await page.locator('.al-alert a', { hasText: 'Explore' }).click();
    await page.waitForURL(/\/explore/);
    await until('the expression', async () => (await page.locator('.cm-content, .q-edit').first().innerText()).includes('vector(3)'));
  });
  await test('alerts fit a phone', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${base}/alerts?theme=light`);
    await until('the alerts', async () => (await page.locator('.al-alert').count()) === 2);
    check((await wide()) <= 0, `the page is ${await wide()} px too wide`);
    await page.setViewportSize({ width: 1300, height: 1000 });
  });
  await test('without rules the page says how to add them', async () => {
    await page.route('**/prometheus/api/v1/rules', (route) => route.fulfill({ contentType: 'application/json', body: '{"status":"success","data":{"groups":[]}}' }));
    await page.goto(`${base}/alerts`);
    await until('the advice', async () => /rule_files/.test(await page.locator('.al-none').innerText()));
    await page.unroute('**/prometheus/api/v1/rules');
  });
}
