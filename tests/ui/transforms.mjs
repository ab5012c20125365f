// Expressions, nested tables, trend lines and heat maps made of results; dashboards that go to another server.
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prom = { type: 'prometheus', uid: 'prometheus' };
const expr = (refId, more) => ({ refId, datasource: { type: '__expr__', uid: '__expr__' }, ...more });
let nextId = 0;
const panel = (type, title, x, y, w, h, targets, more = {}) => ({ id: ++nextId, type, title, gridPos: { x, y, w, h }, datasource: prom, targets, ...more });
const value = (name, v) => `label_replace(vector(${v}), "host", "${name}", "", "")`;

export async function transforms({ page, base, test, check, until, drawn }) {
  const api = async (path, body, method = body ? 'POST' : 'GET') => {
    const res = await fetch(`${base}/api/${path}`, { method, headers: { 'Content-Type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}) });
    const text = await res.text();
    check(res.ok, text);
    return JSON.parse(text);
  };
  const save = (uid, list, more = {}) => api('dashboards/db', { dashboard: { uid, title: uid, schemaVersion: 42, time: { from: 'now-1m', to: 'now' }, refresh: '', panels: list, ...more }, overwrite: true });
  const body = (title) => page.locator(`[data-panel="${title}"]`);
  const settled = (title) => until(title, async () => ['done', 'error'].includes(await body(title).getAttribute('data-state').catch(() => '')));

  await test('expressions are computed by the server over the panel’s own queries', async () => {
    const a = { refId: 'A', expr: `${value('a', 40)} or ${value('b', 60)}`, instant: true, hide: true };
    await save('expr', [
      panel('stat', 'Doubled', 0, 0, 8, 6, [a, expr('B', { type: 'math', expression: '$A * 2' })], { datasource: { uid: '-- Mixed --' } }),
      panel('stat', 'Reduced', 8, 0, 8, 6, [{ refId: 'A', expr: 'vector(7)', hide: true }, expr('B', { type: 'reduce', expression: 'A', reducer: 'max', settings: { mode: 'dropNN' }, hide: true }), expr('C', { type: 'threshold', expression: 'B', conditions: [{ evaluator: { type: 'gt', params: [5] } }] })]),
      panel('timeseries', 'Sum', 16, 0, 8, 6, [{ refId: 'A', expr: 'vector(1)' }, expr('B', { type: 'math', expression: '$A + 3' })]),
      panel('stat', 'Wrong', 0, 6, 12, 6, [{ refId: 'A', expr: 'vector(1)', hide: true }, expr('B', { type: 'math', expression: '$A +' })]),
      panel('stat', 'Circle', 12, 6, 12, 6, [expr('B', { type: 'math', expression: '$C' }), expr('C', { type: 'math', expression: '$B' })]),
      panel('stat', 'Broken', 0, 12, 8, 6, [{ refId: 'A', expr: 'sum(', hide: true }, { refId: 'M', datasource: { type: 'mysql', uid: 'x' }, hide: true }, expr('B', { type: 'math', expression: '$A + 1' }), expr('C', { type: 'math', expression: '$M + 1' })]),
      panel('stat', 'In SQL', 8, 12, 8, 6, [{ refId: 'A', expr: 'vector(1)', hide: true }, expr('B', { type: 'sql', expression: 'SELECT * FROM A' })]),
      panel('stat', 'Languages', 16, 12, 8, 6, [{ refId: 'A', expr: 'vector(30)', instant: true, hide: true }, { refId: 'L', datasource: { type: 'loki', uid: 'loki' }, queryType: 'instant', expr: 'vector(12)', hide: true }, expr('B', { type: 'math', expression: '$A + $L' })]),
    ]);
    const asked = [];
    const listen = (r) => r.method() === 'POST' && r.url().endsWith('/v1/query') && asked.push(r.postDataJSON().queries);
    page.on('request', listen);
    await page.goto(`${base}/d/expr`);
    for (const t of ['Doubled', 'Reduced', 'Sum', 'Wrong', 'Circle', 'Broken', 'In SQL', 'Languages']) await settled(t);
    page.off('request', listen);
    const text = (t) => body(t).innerText();
    check(/80/.test(await text('Doubled')) && /120/.test(await text('Doubled')), await text('Doubled'));
    check((await text('Reduced')).trim() === '1' || /\b1\b/.test(await text('Reduced')), await text('Reduced'));
    check((await body('Sum').locator('.leg').count()) === 2, 'the sum is not drawn beside its query');
    check(/Wrong, query B: .*it ends where/.test(await text('Wrong')), await text('Wrong'));
    check(/Circle, query B: expression B refers to itself by way of C/.test(await text('Circle')), await text('Circle'));
    check(/Broken, query B: query A failed: .*parse error/.test(await text('Broken')), await text('Broken'));
    check(/In SQL, query B: expressions in SQL are not evaluated/.test(await text('In SQL')), await text('In SQL'));
    check(/\b42\b/.test(await text('Languages')), await text('Languages'));
    const together = asked.find((list) => list.some((q) => q.expression?.expression === '$A + 3'));
    const scope = together?.find((q) => q.expression?.expression === '$A + 3').scope;
    check(together?.some((q) => q.scope === scope && q.ref === 'A' && q.query === 'vector(1)'), `an expression goes without its queries: ${JSON.stringify(asked)}`);
  });
  await test('an expression is put together in the editor', async () => {
    await page.goto(`${base}/d/expr?editPanel=${nextId - 5}`);
    await page.locator('button', { hasText: 'Add a query' }).click();
    const row = page.locator('[data-ref="C"]');
    await row.locator('select[aria-label="Data of query C"]').selectOption('expression');
    await row.locator('input[aria-label="Expression C"]').fill('$B * 10');
    await row.locator('input[aria-label="Expression C"]').press('Enter');
    await until('a third line', async () => (await page.locator('.leg').count()) === 3);
    await page.goto(`${base}/d/expr`);
  });
  await test('groups unfold into tables of their own', async () => {
    const v = (host, disk, n) => `label_replace(${value(host, n)}, "disk", "${disk}", "", "")`;
    await save('nested', [
      panel('table', 'Groups', 0, 0, 24, 12, [{ refId: 'A', expr: [v('a', 'x', 1), v('a', 'z', 3), v('b', '<img src=x onerror=window.__xss=50>', 2)].join(' or '), format: 'table', instant: true }], {
        transformations: [{ id: 'groupToNestedTable', options: { fields: { host: { operation: 'groupby' }, Value: { operation: 'aggregate', aggregations: ['sum'] } } } }],
      }),
    ]);
    await page.goto(`${base}/d/nested`);
    const rows = body('Groups').locator('.tbl-scroll > div > .tbl-row');
    await until('the groups', async () => (await rows.count()) === 2);
    check((await body('Groups').locator('.tbl-inner').count()) === 0, 'a group is open');
    for (const b of await body('Groups').locator('button[aria-label^="Rows of"]').all()) await b.click();
    await until('both tables', async () => (await body('Groups').locator('.tbl-inner .tbl').count()) === 2);
    const inner = await body('Groups').locator('.tbl-inner').allInnerTexts();
    check(/x/.test(inner[0]) && /z/.test(inner[0]) && /onerror/.test(inner[1]), inner.join(' | '));
    check((await page.evaluate(() => window.__xss)) === undefined, 'a cell ran code');
    await body('Groups').locator('button[aria-label="Rows of a"]').click();
    await until('one closed', async () => (await body('Groups').locator('.tbl-inner').count()) === 1);
  });
  await test('trend lines, smoothing and heat maps are drawn of results', async () => {
    const q = [{ refId: 'A', expr: 'node_memory_MemAvailable_bytes' }];
    await save('trend', [
      panel('timeseries', 'Trend', 0, 0, 12, 8, q, { transformations: [{ id: 'regression', options: { modelType: 'linear' } }] }),
      panel('timeseries', 'Smooth', 12, 0, 12, 8, q, { transformations: [{ id: 'smoothing', options: {} }] }),
      panel('heatmap', 'Cells', 0, 8, 12, 8, q, { transformations: [{ id: 'heatmap', options: {} }], options: { color: { mode: 'opacity', fill: 'red' } } }),
      panel('stat', 'Lookup', 12, 8, 12, 8, q, { transformations: [{ id: 'fieldLookup', options: {} }] }),
    ]);
    await page.goto(`${base}/d/trend?from=now-1m&to=now&refresh=5s`);
    for (const t of ['Trend', 'Smooth', 'Cells', 'Lookup']) await settled(t);
    await until('a trend', async () => (await body('Trend').locator('.leg').allInnerTexts()).some((t) => /linear regression/.test(t)));
    await until('a smoothed line', async () => (await body('Smooth').locator('.leg').allInnerTexts()).some((t) => /smoothed/.test(t)));
    await until('cells in colour', async () => (await drawn(page, 'Cells')).coloured > 200);
    await until('a word about what was passed over', async () => (await page.locator('section[aria-label="Lookup"] .hint.warn[aria-label*="passed over: it adds places for maps"]').count()) === 1);
  });
  await test('a dashboard goes to another server with inputs and its library panels, and comes back', async () => {
    await fetch(`${base}/api/dashboards/uid/away`, { method: 'DELETE' });
    await fetch(`${base}/api/library-elements/lib-up`, { method: 'DELETE' });
    await api('library-elements', { uid: 'lib-up', name: 'Lib up', kind: 1, model: { type: 'stat', title: 'From the library', datasource: prom, targets: [{ refId: 'A', expr: 'vector(21)', datasource: prom }] } });
    await save('away', [panel('timeseries', 'Own', 0, 0, 12, 6, [{ refId: 'A', expr: 'up', datasource: prom }]), { id: 90, type: 'library-panel-ref', gridPos: { x: 12, y: 0, w: 12, h: 6 }, libraryPanel: { uid: 'lib-up', name: 'Lib up' } }]);
    await page.goto(`${base}/d/away`);
    await until('the library panel', async () => /21/.test(await body('From the library').innerText().catch(() => '')));
    await page.locator('button[aria-label="More"]').click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator('.menu button', { hasText: 'another server' }).click()]);
    const text = readFileSync(await file.path(), 'utf8');
    const json = JSON.parse(text);
    check(json.__inputs.length === 1 && json.__inputs[0].name === 'DS_PROMETHEUS' && json.__inputs[0].pluginId === 'prometheus', JSON.stringify(json.__inputs));
    check(json.__elements['lib-up'].model.datasource.uid === '${DS_PROMETHEUS}' && json.panels[0].targets[0].datasource.uid === '${DS_PROMETHEUS}', text.slice(0, 2000));
    check(json.__requires.some((r) => r.type === 'panel' && r.id === 'stat') && json.id === null, JSON.stringify(json.__requires));
    // Another server has neither the dashboard nor the element.
    await api('dashboards/uid/away', undefined, 'DELETE');
    await api('library-elements/lib-up', undefined, 'DELETE');
    const path = join(tmpdir(), `pharos-away-${process.pid}.json`);
    writeFileSync(path, text);
    await page.goto(`${base}/dashboard/import`);
    await page.locator('input[type=file]').setInputFiles(path);
    await until('what comes along', async () => /1 for the panel library/.test(await page.locator('[data-import-summary]').innerText().catch(() => '')));
    await page.locator('[data-confirm]').click();
    await page.waitForURL(/\/d\/away/);
    await until('the library panel again', async () => /21/.test(await body('From the library').innerText().catch(() => '')));
    check((await api('library-elements/lib-up')).result.name === 'Lib up', 'the element was not put into the library');
    // A public link shows it as well, and brings no query along.
    const { accessToken } = await api('dashboards/uid/away/public-dashboards', { isEnabled: true });
    const asked = [];
    const listen = (r) => asked.push(r.url());
    page.on('request', listen);
    await page.goto(`${base}/public-dashboards/${accessToken}?from=now-1m&to=now`);
    await until('the library panel in public', async () => /21/.test(await body('From the library').innerText().catch(() => '')));
    page.off('request', listen);
    check(!asked.some((u) => u.includes('library-elements')), 'a viewer asked for the library');
  });
}
