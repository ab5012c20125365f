// Dashboards in the browser: imported, drawn, varied, edited, saved, on a phone, under attack.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const conformance = [process.env.PHAROS_CONFORMANCE ?? '', join(here, '../../../shared/conformance'), join(here, '../../../../shared/conformance')]
  .map((f) => join(f, 'dashboards')).find((f) => existsSync(f));

let nextId = 0;
const panel = (type, title, x, y, w, h, exprs, more = {}) => ({ id: ++nextId, type, title, gridPos: { x, y, w, h }, datasource: { type: 'prometheus', uid: '${DS_PROM}' }, targets: exprs.map((e, i) => ({ refId: 'ABCDEF'[i], ...(typeof e === 'string' ? { expr: e } : e) })), ...more });
const CPU = 'sum by (mode) (rate(node_cpu_seconds_total{mode=~"$mode"}[$__rate_interval]))';

// Old and new panels, a closed row, a repeated panel, inputs, and a key nobody knows.
const sample = {
  __inputs: [{ name: 'DS_PROM', label: 'Prometheus', type: 'datasource', pluginId: 'prometheus' }],
  title: 'Sample', uid: 'sample', schemaVersion: 16, version: 7, fromTheFuture: { keep: ['me'] }, tags: ['demo'],
  time: { from: 'now-1m', to: 'now' }, refresh: '',
  templating: { list: [
    { type: 'query', name: 'mode', label: 'Mode', datasource: '${DS_PROM}', query: 'label_values(node_cpu_seconds_total, mode)', refresh: 1, multi: true, includeAll: true, sort: 1, current: { text: ['All'], value: ['$__all'] } },
    { type: 'custom', name: 'pick', query: 'one,two', multi: true, current: { text: ['one', 'two'], value: ['one', 'two'] } },
  ] },
  panels: [
    panel('timeseries', 'Lines', 0, 0, 12, 8, [{ expr: CPU, legendFormat: '{{mode}}' }], { fieldConfig: { defaults: { unit: 'percentunit', custom: { fillOpacity: 30 } }, overrides: [] } }),
    panel('graph', 'Old graph', 12, 0, 12, 8, ['node_load1'], { fill: 3, linewidth: 2, yaxes: [{ format: 'short' }, {}], legend: { show: true } }),
    panel('singlestat', 'Old stat', 0, 8, 4, 4, ['node_memory_MemTotal_bytes'], { format: 'bytes', valueName: 'current' }),
    panel('gauge', 'Gauge', 4, 8, 4, 4, [{ expr: '42', instant: true }], { fieldConfig: { defaults: { max: 100, min: 0 }, overrides: [] } }),
    panel('bargauge', 'Bars', 8, 8, 8, 4, [{ expr: 'node_load5', instant: true, legendFormat: 'Mem' }]),
    panel('table', 'Table', 16, 8, 8, 4, [{ expr: 'node_filesystem_size_bytes', format: 'table', instant: true }], { fieldConfig: { defaults: { unit: 'bytes' }, overrides: [] } }),
    panel('heatmap', 'Heat', 0, 12, 12, 6, ['rate(node_cpu_seconds_total[20s])'], { options: { calculate: true } }),
    panel('stat', 'For $pick', 12, 12, 12, 3, [{ expr: 'vector(1)', instant: true }], { repeat: 'pick', maxPerRow: 2 }),
    panel('from-a-plugin', 'Stranger', 12, 15, 12, 3, ['up']),
    { id: 90, type: 'row', title: 'Closed', collapsed: true, gridPos: { x: 0, y: 18, w: 24, h: 1 }, panels: [panel('timeseries', 'Inside', 0, 19, 24, 6, ['node_load15'])] },
  ],
};

const evil = '<img src=x onerror="window.__xss=1"><svg onload="window.__xss=2"></svg><script>window.__xss=3</script>';
const attack = {
  title: `Attack ${evil}`, uid: 'attack', schemaVersion: 41, tags: [evil], time: { from: 'now-1m', to: 'now' }, description: evil,
  links: [{ type: 'link', title: evil, url: 'javascript:window.__xss=4' }],
  annotations: { list: [{ name: evil, enable: true, expr: 'vector(1)', titleFormat: evil, textFormat: evil }] },
  templating: { list: [{ type: 'custom', name: 'v', label: evil, query: evil.replaceAll(',', ''), current: { value: evil, text: evil } }, { type: 'textbox', name: 't', query: 'javascript:window.__xss=5' }] },
  panels: [
    panel('text', evil, 0, 0, 12, 6, [], { options: { mode: 'html', content: `${evil}<a href="javascript:window.__xss=6">a</a><iframe srcdoc="<script>parent.__xss=7</script>"></iframe><form action="/x"><button>b</button></form><div style="position:fixed;inset:0;background:url(https://example.org/x)">over</div><a href=" java&#10;script:window.__xss=8">b</a><math><mtext><table><mglyph><style><img src=x onerror="window.__xss=9"></style></mglyph></table></mtext></math>` } }),
    panel('text', 'md', 12, 0, 12, 6, [], { options: { mode: 'markdown', content: `${evil}\n\n[x](javascript:window.__xss=10) [y]($t) ![i](https://example.org/i.png)` } }),
    panel('table', 'Labels', 0, 6, 12, 5, [{ expr: `label_replace(vector(1), "evil", ${JSON.stringify(evil)}, "", "")`, format: 'table', instant: true }], { fieldConfig: { defaults: { links: [{ title: evil, url: '${__data.fields.evil}' }, { title: 'j', url: 'javascript:window.__xss=11' }] }, overrides: [{ matcher: { id: 'byName', options: 'evil' }, properties: [{ id: 'custom.cellOptions', value: { type: 'image' } }] }] } }),
    panel('timeseries', 'Legend', 12, 6, 12, 5, [{ expr: 'vector(1)', legendFormat: evil }], { description: evil, fieldConfig: { defaults: { unit: evil, color: { mode: 'fixed', fixedColor: 'red;background:url(https://example.org/c)' } }, overrides: [] } }),
    panel('xychart', 'Points', 12, 11, 6, 4, [{ expr: `label_replace(vector(1), "evil", ${JSON.stringify(evil)}, "", "")`, format: 'table', instant: true }], { options: { mapping: 'manual', series: [{ name: { fixed: evil }, x: { matcher: { id: 'byName', options: 'Time' } }, y: { matcher: { id: 'byName', options: 'Value' } } }] }, fieldConfig: { defaults: { custom: { axisLabel: evil }, links: [{ title: evil, url: 'javascript:window.__xss=13' }] }, overrides: [{ matcher: { id: 'byName', options: evil }, properties: [{ id: 'displayName', value: evil }] }] }, transformations: [{ id: 'organize', options: { renameByName: { evil } } }] }),
    panel('nodeGraph', 'Nodes', 18, 11, 6, 4, [{ expr: `label_replace(label_replace(vector(1), "source", ${JSON.stringify(evil)}, "", ""), "target", "b", "", "")`, format: 'table', instant: true }], { fieldConfig: { defaults: { links: [{ title: evil, url: 'javascript:window.__xss=14' }] }, overrides: [] } }),
    panel('stat', 'Stat', 0, 11, 12, 4, [{ expr: 'vector(1)', instant: true }], { fieldConfig: { defaults: { displayName: evil, mappings: [{ type: 'value', options: { 1: { text: evil } } }], links: [{ url: 'javascript:window.__xss=12', title: 'x' }] }, overrides: [] } }),
  ],
};

export async function dashboards({ page, base, test, check, until, drawn, complaints, foreign }) {
  const api = async (path) => (await fetch(`${base}/api/${path}`)).json();
  const importText = async (json) => {
    await page.goto(`${base}/dashboard/import`);
    await page.locator('.import input[type=file]').setInputFiles({ name: 'd.json', mimeType: 'application/json', buffer: Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)) });
    await page.locator('[data-import-summary]').waitFor({ timeout: 60000 });
  };

  await test('a shared dashboard is imported: inputs filled, the unknown kept and named', async () => {
    await importText(sample);
    check((await page.locator('.import-warnings').innerText()).includes('from-a-plugin'), 'the panel of a plugin is not named');
    await page.locator('[data-confirm]').click();
    await page.waitForURL(/\/d\/sample/);
    const { dashboard } = await api('dashboards/uid/sample');
    check(dashboard.fromTheFuture?.keep?.[0] === 'me', 'a key that is not known was lost');
    check(dashboard.schemaVersion === 16 && dashboard.panels[1].type === 'graph', 'the stored JSON was changed by drawing it');
    check(dashboard.panels[0].datasource.uid === 'prometheus', `the input was not filled: ${JSON.stringify(dashboard.panels[0].datasource)}`);
  });
  await test('its panels are drawn, old and new', async () => {
    // It does not refresh by itself, and the server may have collected only once when it was opened.
    for (const title of ['Lines', 'Old graph', 'Heat'])
      await until(`${title} in colour`, async () => (await drawn(page, title)).coloured > 100 || void (await page.locator('button[aria-label="Refresh now"]').click()));
    const text = (title) => page.locator(`[data-panel="${title}"]`).first().innerText();
    await until('memory with its unit', async () => /[GM]iB/.test(await text('Old stat')));
    await until('the gauge', async () => (await text('Gauge')).includes('42'));
    await until('rows of the table', async () => (await page.locator('[data-panel="Table"] .tbl-row:not(.tbl-head)').count()) > 0);
    check((await text('Stranger')).includes('from-a-plugin'), 'no placeholder for the unknown panel');
  });
  await test('panels repeat for each value, closed rows wait', async () => {
    await until('a copy a value', async () => (await page.locator('[data-panel="For one"], [data-panel="For two"]').count()) === 2);
    check((await page.locator('[data-panel="Inside"]').count()) === 0, 'a panel of a closed row is mounted');
    await page.locator('.dash-row-title', { hasText: 'Closed' }).click();
    await page.locator('[data-panel="Inside"]').scrollIntoViewIfNeeded();
    await until('the inside drawn', async () => (await drawn(page, 'Inside')).coloured > 50);
  });
  await test('a variable changes what is drawn and the address', async () => {
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    const legend = () => page.locator('[data-panel="Lines"] .leg-name').allInnerTexts();
    await until('all modes', async () => (await legend()).length > 3);
    await page.locator('[data-var="mode"]').click();
    await page.locator('.var-opt', { hasText: 'idle' }).click();
    await page.locator('.var-foot .primary').click();
    await until('one mode', async () => (await legend()).join() === 'idle');
    check(new URL(page.url()).searchParams.getAll('var-mode').join() === 'idle', page.url());
    await page.goto(`${base}/d/sample?from=now-1m&to=now&var-mode=user&var-mode=system`);
    await until('the modes of the address', async () => (await legend()).sort().join() === 'system,user');
  });
  await test('a panel is edited, saved, and is so after loading again', async () => {
    await page.goto(`${base}/d/sample?from=now-1m&to=now&editPanel=1`);
    const title = page.locator('input[aria-label="Panel title"]');
    await title.fill('Renamed');
    await title.press('Enter');
    await page.locator('.pe-query .cm-content').first().waitFor({ timeout: 60000 });
    await page.locator('.pe-query .cm-content').first().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('node_load5 * 2');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Shift+Enter');
    await until('the new query drawn', async () => (await drawn(page, 'Renamed')).coloured > 50);
    await page.locator('[data-done]').click();
    await page.locator('[data-save]').click();
    await page.locator('.diff summary').waitFor();
    await page.locator('.save [data-confirm]').click();
    await until('the saved panel', async () => (await api('dashboards/uid/sample')).dashboard.panels.some((p) => p.title === 'Renamed' && p.targets[0].expr === 'node_load5 * 2'));
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    await until('the panel after loading', async () => (await drawn(page, 'Renamed')).coloured > 50);
    check((await api('dashboards/uid/sample')).dashboard.fromTheFuture?.keep?.[0] === 'me', 'saving lost a key');
    check((await api('dashboards/uid/sample/versions')).versions?.length >= 2, 'no second version');
  });
  await test('panels are moved with the pointer', async () => {
    await page.locator('[data-edit]').click();
    const handle = page.locator('[data-panel-id="2"] .dash-resize');
    const box = await handle.boundingBox();
    await page.mouse.move(box.x + 8, box.y + 8);
    await page.mouse.down();
    await page.mouse.move(box.x - 200, box.y + 90, { steps: 4 });
    await page.mouse.up();
    const size = await page.locator('[data-panel-id="2"]').evaluate((e) => [e.style.getPropertyValue('--w'), e.style.getPropertyValue('--h')]);
    check(Number(size[0]) < 12 && Number(size[1]) > 8, `the panel is ${size.join(' by ')}`);
  });
  await test('a new dashboard gets a panel and is stored', async () => {
    await page.goto(`${base}/dashboard/new?from=now-1m&to=now`);
    await page.locator('.dash-start .primary').click();
    await page.locator('.pe-query .cm-content').first().waitFor({ timeout: 60000 });
    await page.locator('.pe-query .cm-content').first().click();
    await page.keyboard.type('node_load1');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Shift+Enter');
    await until('the panel drawn', async () => (await drawn(page, 'New panel')).coloured > 50);
    await page.locator('[data-done]').click();
    await page.locator('[data-save]').click();
    await page.locator('.save input[type=text]').first().fill('Made here');
    await page.locator('.save [data-confirm]').click();
    await until('it in the search', async () => (await api('search?query=Made')).some((h) => h.title === 'Made here'));
    await page.goto(`${base}/dashboards`);
    await page.locator('.dl-title', { hasText: 'Made here' }).waitFor();
  });
  await test('a snapshot shows its data and asks nothing', async () => {
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    await until('the drawing', async () => (await drawn(page, 'Renamed')).coloured > 50);
    await page.locator('.dash-bar button[aria-label="More"]').click();
    await page.locator('[role="menuitem"]', { hasText: 'Share' }).click();
    await page.locator('[data-snapshot]').click();
    const link = page.locator('.share-url input').last();
    await until('the link', async () => /snapshot/.test(await link.inputValue()));
    const asked = [];
    const listen = (r) => /v1\/query/.test(r.url()) && asked.push(r.url());
    const url = await link.inputValue();
    page.on('request', listen);
    await page.goto(url);
    await until('the kept data', async () => (await drawn(page, 'Renamed')).coloured > 50);
    page.off('request', listen);
    check(asked.length === 0, asked.join());
    check((await page.locator('[data-edit]').count()) === 0, 'a snapshot can be edited');
  });
  await test('a public link shows the dashboard through its own queries', async () => {
    const made = await fetch(`${base}/api/dashboards/uid/sample/public-dashboards`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ isEnabled: true, timeSelectionEnabled: true, annotationsEnabled: true, share: 'public' }) });
    const { accessToken } = await made.json();
    await page.goto(`${base}/public-dashboards/${accessToken}?from=now-1m&to=now`);
    await until('the drawing', async () => (await drawn(page, 'Renamed')).coloured > 50);
    check((await page.locator('[data-edit]').count()) === 0, 'a public dashboard can be edited');
  });
  await test('an annotation is written on a graph and marked there', async () => {
    await page.goto(`${base}/dashboard/new`);
    const { dashboard } = await api('dashboards/uid/sample');
    const made = await fetch(`${base}/api/dashboards/db`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dashboard: { ...dashboard, id: null, uid: 'marks', title: 'Marks', version: 0, annotations: { list: [{ builtIn: 1, type: 'dashboard', name: 'Annotations', enable: true, iconColor: '#ff00ff', datasource: { type: 'grafana', uid: '-- Grafana --' } }] } } }) });
    check(made.ok, await made.text());
    await page.goto(`${base}/d/marks?from=now-1m&to=now`);
    await until('the drawing', async () => (await drawn(page, 'Renamed')).coloured > 50);
    const over = await page.locator('[data-panel="Renamed"] .u-over').boundingBox();
    await page.mouse.click(over.x + over.width / 2, over.y + over.height / 2, { button: 'left' });
    await page.keyboard.down('Control');
    await page.mouse.click(over.x + over.width / 2, over.y + over.height / 2);
    await page.keyboard.up('Control');
    await page.locator('.save textarea').fill('it happened');
    await page.locator('.save [data-confirm]').click();
    await until('it in the store', async () => (await api('annotations?dashboardUID=marks')).some((a) => a.text === 'it happened'));
    await until('its mark', () => page.evaluate(() => {
      const c = document.querySelector('[data-panel="Renamed"] canvas');
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      for (let i = 0; i < data.length; i += 4) if (data[i] > 230 && data[i + 1] < 40 && data[i + 2] > 230) return true;
      return false;
    }));
  });
  await test('names of bars are read whole, and only the drawing under the pointer has a level line', async () => {
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    await page.locator('[data-panel="Bars"] .bg-name').first().waitFor();
    const cut = await page.locator('.bg-name').evaluateAll((l) => l.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent));
    check(cut.length === 0, `cut: ${cut}`);
    await until('drawings', async () => (await drawn(page, 'Old graph')).coloured > 50);
    await page.locator('[data-panel="Renamed"] .u-over').hover();
    const levels = await page.locator('.u-cursor-y').evaluateAll((l) => l.filter((e) => getComputedStyle(e).display !== 'none').length);
    check(levels <= 1, `${levels} level lines`);
  });
  await test('keys inspect and explore the panel under the pointer, and an error is read whole', async () => {
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    await until('a drawing', async () => (await drawn(page, 'Old graph')).coloured > 50);
    await page.locator('[data-panel="Old graph"]').hover();
    await page.keyboard.press('i');
    await page.locator('dialog.inspector').waitFor();
    await page.keyboard.press('Escape');
    await until('it closed', async () => (await page.locator('dialog.inspector').count()) === 0);
    const broken = await fetch(`${base}/api/dashboards/db`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dashboard: { uid: 'broken', title: 'Broken', schemaVersion: 41, panels: [{ id: 1, type: 'timeseries', title: 'No end', gridPos: { x: 0, y: 0, w: 24, h: 8 }, datasource: { type: 'prometheus', uid: 'prometheus' }, targets: [{ refId: 'A', expr: 'node_load1' }, { refId: 'B', expr: 'sum(rate(node_load1[1m])' }] }] }, overwrite: true }) });
    check(broken.ok, `saving answered ${broken.status}`);
    await page.goto(`${base}/d/broken?from=now-1m&to=now`);
    const hint = page.locator('.panel .hint[data-tip]').first();
    await hint.hover();
    const left = await hint.evaluate((e) => { const s = getComputedStyle(e, '::after'); const r = e.getBoundingClientRect(); return s.right !== 'auto' && s.left === 'auto' ? r.right - parseFloat(s.width) : r.left + parseFloat(s.left); });
    check(left >= 0, `what is wrong begins at ${left}`);
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    await until('a drawing', async () => (await drawn(page, 'Old graph')).coloured > 50);
    await page.locator('[data-panel="Old graph"]').hover();
    await page.keyboard.press('x');
    await page.waitForURL(/\/explore/);
  });
  await test('a wide table stays beside its options in the editor', async () => {
    await page.setViewportSize({ width: 1050, height: 1000 });
    await page.goto(`${base}/d/sample?from=now-1m&to=now&editPanel=6`);
    await until('its rows', async () => (await page.locator('.pe-preview .tbl-row:not(.tbl-head)').count()) > 0);
    const [drawing, options] = [await page.locator('.pe-preview .panel').boundingBox(), await page.locator('.pe-options').boundingBox()];
    check(drawing.x + drawing.width <= options.x, `the drawing ends at ${drawing.x + drawing.width}, its options begin at ${options.x}`);
    await page.locator('button[aria-label="More"]').click();
    const ends = await page.locator('.menu .row-btn kbd').evaluateAll((l) => new Set(l.map((e) => Math.round(e.getBoundingClientRect().right))).size);
    check(ends === 1, 'keys in the menu do not stand below each other');
    await page.setViewportSize({ width: 1300, height: 1000 });
  });
  await test('a range is chosen from a calendar, in the zone that is shown', async () => {
    await page.goto(`${base}/d/sample?from=now-1m&to=now&timezone=utc`);
    await page.locator('.tp-main').first().click();
    check(await page.locator('.tp-quick input').evaluate((e) => e === document.activeElement), 'the quick ranges are not ready to type in');
    const inside = await page.evaluate(() => document.querySelector('.tp-zone').getBoundingClientRect().right <= document.querySelector('.tp-quick').getBoundingClientRect().left);
    check(inside, 'the zones run into the quick ranges');
    await page.locator('.tp-cal input').first().fill('2026-01-31T08:00:05');
    await page.locator('.tp-cal input').last().fill('2026-01-31T09:30:05');
    await page.locator('.tp-abs button[type="submit"]').click();
    await until('the range', async () => ['2026-01-31 08:00:05', String(Date.UTC(2026, 0, 31, 8, 0, 5))].includes(new URL(page.url()).searchParams.get('from')));
  });
  await test('on a phone panels stand below each other', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${base}/d/sample?from=now-1m&to=now`);
    await until('a drawing', async () => (await drawn(page, 'Renamed')).coloured > 50);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= 390, `the page is ${wide} pixels wide`);
    const lefts = await page.locator('.dash-cell').evaluateAll((es) => new Set(es.map((e) => Math.round(e.getBoundingClientRect().left))).size);
    check(lefts === 1, `${lefts} columns`);
    const head = await page.locator('header.top').boundingBox();
    check(head.height < 95, `the bar takes ${head.height} pixels of the screen`);
    await until('the page one is on within the bar', async () => { const on = await page.locator('.nav a[aria-current]').boundingBox(); return on.x >= 0 && on.x + on.width <= 390; });
    // The editor as well: its forms below the drawing.
    await page.goto(`${base}/d/sample?from=now-1m&to=now&editPanel=1`);
    await page.locator('.pe-options').waitFor();
    await until('the panel in the editor', async () => (await page.locator('.panel-in').first().getAttribute('data-state')) === 'done');
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(over <= 0, `the editor is ${over} pixels too wide`);
    const [drawing, forms] = [await page.locator('.panel').first().boundingBox(), await page.locator('.pe-options').boundingBox()];
    check(forms.y >= drawing.y + drawing.height && drawing.width > 300, 'the forms are not below the drawing');
    await page.setViewportSize({ width: 1300, height: 1000 });
  });
  await test('texts of a dashboard run no code and reach no other host', async () => {
    const asked = foreign.length;
    const kept = [];
    const failed = (r) => r.failure()?.errorText === 'csp' && kept.push(r.url());
    page.on('requestfailed', failed);
    await importText(attack);
    await page.locator('[data-confirm]').click();
    await page.waitForURL(/\/d\/attack/);
    await until('the panels', async () => (await page.locator('.panel-in[data-state="done"]').count()) >= 5);
    await page.locator('.text-panel').first().waitFor();
    await until('the table', async () => (await page.locator('[data-panel="Labels"] .tbl-row').count()) > 1);
    for (const menu of await page.locator('.var-btn').all()) { await menu.click(); await page.keyboard.press('Escape'); }
    await page.waitForTimeout(300);
    check((await page.evaluate(() => window.__xss)) === undefined, `code ran: ${await page.evaluate(() => window.__xss)}`);
    // The forms show the same texts.
    for (const [where, ready] of [['editview=variables', '.settings [data-variable]'], ['editview=annotations', '.settings [data-annotation]'], ['editview=links', '.settings details'], [`editPanel=${attack.panels[3].id}`, '.pe-options']]) {
      await page.goto(`${base}/d/attack?${where}`);
      await page.locator(ready).first().waitFor();
      await page.evaluate(() => document.querySelectorAll('details').forEach((d) => (d.open = true)));
      await page.waitForTimeout(200);
      check((await page.evaluate(() => window.__xss)) === undefined, `code ran in ${where}`);
    }
    await page.goto(`${base}/d/attack`);
    await page.locator('.text-panel').first().waitFor();
    const bad = await page.evaluate(() => [...document.querySelectorAll('a[href]')].map((a) => a.protocol).filter((p) => !['http:', 'https:', 'mailto:'].includes(p)));
    check(bad.length === 0, `links to ${bad.join()}`);
    check((await page.locator('.text-panel iframe, .text-panel form, .text-panel script, .text-panel [onerror], .text-panel [onload]').count()) === 0, 'something harmful is in the page');
    check(!(await page.locator('.text-panel').first().innerHTML()).includes('position:fixed'), 'a style covers the page');
    // The browser itself reports what its policy kept out.
    for (let i = complaints.length - 1; i >= 0; i--) if (/Content Security Policy|404/.test(complaints[i])) complaints.splice(i, 1);
    page.off('requestfailed', failed);
    for (const url of foreign.splice(asked)) check(kept.includes(url), `${url} was asked`);
  });
  for (const name of conformance ? readdirSync(conformance).filter((f) => f.endsWith('.json')) : []) {
    await test(`${name} opens without a warning or an error`, async () => {
      await importText(readFileSync(join(conformance, name), 'utf8'));
      check((await page.locator('.import-warnings').count()) === 0, await page.locator('.import-warnings').allInnerTexts().then((t) => t.join()));
      await page.locator('[data-confirm]').click();
      await page.waitForURL(/\/d\//);
      await page.goto(`${page.url().split('?')[0]}?from=now-1m&to=now`);
      await until('the panels', async () => (await page.locator('.panel-in[data-state="done"]').count()) > 4);
      await until('all of them', async () => (await page.locator('.panel-in[data-state="loading"] > *:not(.skeleton)').count()) === 0);
      const errors = await page.locator('.panel-in[data-state="error"]').allInnerTexts();
      check(errors.length === 0, errors.join(' | '));
      if (name.startsWith('node-exporter')) for (const title of ['CPU Basic', 'Memory Basic']) await until(`${title} in colour`, async () => (await drawn(page, title)).coloured > 100);
    });
  }
}
