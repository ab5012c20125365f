// Panels that are no plain charts, over answers of the real server.

let nextId = 0;
const prom = { type: 'prometheus', uid: 'prometheus' };
const panel = (type, title, x, y, w, h, targets, more = {}) => ({ id: ++nextId, type, title, gridPos: { x, y, w, h }, datasource: prom, targets, ...more });
const edge = (a, b, v) => `label_replace(label_replace(vector(${v}), "source", "${a}", "", ""), "target", "${b}", "", "")`;

export async function panels({ page, base, test, check, until, drawn }) {
  const save = async (uid, list, more = {}) => {
    const dashboard = { uid, title: uid, schemaVersion: 42, time: { from: 'now-1m', to: 'now' }, refresh: '', panels: list, ...more };
    const res = await fetch(`${base}/api/dashboards/db`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dashboard, overwrite: true }) });
    check(res.ok, await res.text());
  };
  await test('a table of calls is drawn as a graph that can be moved and asked', async () => {
    const calls = [edge('front', 'cart', 12), edge('front', 'search', 30), edge('cart', 'db', 9), edge('<img src=x onerror=window.__xss=40>', 'db', 1)];
    await save('graph', [panel('nodeGraph', 'Calls', 0, 0, 24, 14, [{ refId: 'A', expr: calls.join(' or '), format: 'table', instant: true }], { fieldConfig: { defaults: { unit: 'reqps' }, overrides: [] } })]);
    await page.goto(`${base}/d/graph`);
    await until('the nodes', async () => (await page.locator('.ng-node').count()) === 5);
    check((await page.locator('.ng-edge').count()) === 4, 'edges are missing');
    const at = async (id) => (await page.locator(`[data-node="${id}"]`).boundingBox()).x;
    check((await at('front')) < (await at('cart')) && (await at('cart')) < (await at('db')), 'the layers do not follow the calls');
    check((await page.locator('.ng-stat').allTextContents()).join().includes('30 req/s'), 'no figures on the edges');
    const before = await at('cart');
    await page.locator('.ng').focus().catch(() => undefined);
    await page.locator('[data-node="cart"]').focus();
    await page.keyboard.press('ArrowLeft');
    check((await at('cart')) > before + 40, 'the arrow keys do not move it');
    await page.keyboard.press('Enter');
    await page.locator('.ng-open .popover', { hasText: 'cart' }).waitFor();
    check((await page.evaluate(() => window.__xss)) === undefined, 'a node ran code');
  });
  const traceId = 'abcdef0123456789abcdef0123456789';
  await test('a trace is drawn as a waterfall, a list and a flame graph', async () => {
    const kv = (key, stringValue) => ({ key, value: { stringValue } });
    const at = (ms) => String((BigInt(Date.now()) - 10_000n + BigInt(ms)) * 1_000_000n);
    const span = (n, parent, name, from, to) => ({ traceId, spanId: `${n}`.repeat(16), parentSpanId: parent ? `${parent}`.repeat(16) : '', name, kind: 2, startTimeUnixNano: at(from), endTimeUnixNano: at(to) });
    const body = { resourceSpans: [{ resource: { attributes: [kv('service.name', 'shop<b>')] }, scopeSpans: [{ scope: { name: 'lib' }, spans: [span(1, 0, 'GET /', 0, 100), span(2, 1, 'query', 10, 60), span(3, 1, '<img src=x onerror=window.__xss=41>', 60, 90)] }] }] };
    const sent = await fetch(`${base}/otlp/v1/traces`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    check(sent.ok, await sent.text());
    const tempo = { type: 'tempo', uid: 'tempo' };
    const ask = (query) => [{ refId: 'A', query, queryType: 'traceql', datasource: tempo }];
    await save('traces', [panel('traces', 'One', 0, 0, 12, 10, ask(traceId)), panel('traces', 'Found', 12, 0, 12, 10, ask('{resource.service.name="shop<b>"}')), panel('flamegraph', 'Flame', 0, 10, 24, 8, ask(traceId))], { time: { from: 'now-15m', to: 'now' } });
    await page.goto(`${base}/d/traces`);
    await until('the waterfall', async () => (await page.locator('[data-panel="One"] .tr-row').count()) === 3);
    await page.locator('[data-panel="Found"] .linkish').first().click();
    await until('the trace that was found', async () => (await page.locator('[data-panel="Found"] .tr-row').count()) === 3);
    await page.locator('[data-panel="Found"] [aria-label="Back to the list"]').click();
    await page.locator('[data-panel="Found"] .trace-list').waitFor();
    await until('the flames', async () => (await drawn(page, 'Flame')).coloured > 200);
    const flame = page.locator('[data-panel="Flame"] .fg-flame');
    check((await flame.getAttribute('aria-label')).includes('4 bars in 3 levels'), await flame.getAttribute('aria-label'));
    await page.locator('[data-panel="Flame"] .fg-name button', { hasText: 'query' }).click();
    check((await page.locator('[data-panel="Flame"] .fg-bar').innerText()).includes('50.0 %'), await page.locator('[data-panel="Flame"] .fg-bar').innerText());
    await flame.focus();
    await page.keyboard.press('ArrowDown');
    check((await flame.getAttribute('aria-label')).includes('at shop<b>: GET /'), 'the arrow keys do not walk the flames');
    check((await page.evaluate(() => window.__xss)) === undefined, 'a span ran code');
  });
  await test('a table of levels and values is a flame graph', async () => {
    const bar = (label, level, v) => `label_replace(label_replace(vector(${v}), "label", "${label}", "", ""), "level", "${level}", "", "")`;
    await save('flames', [panel('flamegraph', 'Table', 0, 0, 24, 10, [{ refId: 'A', expr: [bar('main', 0, 10), bar('read', 1, 6), bar('<img src=x onerror=window.__xss=42>', 2, 2), bar('write', 1, 3)].join(' or '), format: 'table', instant: true }])]);
    await page.goto(`${base}/d/flames`);
    await until('the flames', async () => (await drawn(page, 'Table')).coloured > 200);
    check((await page.locator('[data-panel="Table"] .fg-flame').getAttribute('aria-label')).includes('4 bars in 3 levels'), await page.locator('[data-panel="Table"] .fg-flame').getAttribute('aria-label'));
    check((await page.evaluate(() => window.__xss)) === undefined, 'a bar ran code');
  });
  await test('columns are drawn against each other, and tell what a point is', async () => {
    const point = (n, a) => `label_replace(vector(${a}), "n", "${n}", "", "")`;
    const q = (f) => [[1, 2, 30], [2, 5, 10], [3, 9, 20]].map(([n, a, b]) => point(`host ${n}`, f ? a : b)).join(' or ');
    const as = (refId, expr) => ({ refId, expr, format: 'table', instant: true });
    await save('xy', [panel('xychart', 'Scatter', 0, 0, 24, 12, [as('A', q(true)), as('B', q(false))], { transformations: [{ id: 'merge', options: {} }], fieldConfig: { defaults: { custom: { pointSize: { fixed: 20 }, fillOpacity: 100 } }, overrides: [] } })]);
    await page.goto(`${base}/d/xy`);
    await until('three points', async () => (await drawn(page, 'Scatter')).coloured > 600);
    check((await page.locator('[data-panel="Scatter"] .ts-plot').getAttribute('aria-label')).includes('3 points in 1 series'), 'not three points');
    const box = await page.locator('.xy-canvas').boundingBox();
    let said = '';
    for (let x = 20; x < box.width && !said; x += 12) for (let y = 10; y < box.height && !said; y += 12) {
      await page.mouse.move(box.x + x, box.y + y);
      if (await page.locator('[data-panel="Scatter"] .tip').count()) said = await page.locator('[data-panel="Scatter"] .tip').innerText();
    }
    check(/host \d/.test(said) && said.includes('Value #B'), `the tooltip says “${said}”`);
  });
  await test('an exemplar leads to its trace, a click on a line to its links', async () => {
    const now = Date.now();
    const points = Array.from({ length: 30 }, (_, k) => ({ asDouble: 5, timeUnixNano: `${now - k * 1000}000000`, exemplars: k === 15 ? [{ timeUnixNano: `${now - k * 1000 - 500}000000`, asDouble: 5, traceId, spanId: '1'.repeat(16) }] : [] })).reverse();
    const sent = await fetch(`${base}/otlp/v1/metrics`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ resourceMetrics: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] }, scopeMetrics: [{ metrics: [{ name: 'ui.level', gauge: { dataPoints: points } }] }] }] }) });
    check(sent.ok, await sent.text());
    const links = [{ title: 'More of ${__field.labels.job}', url: '/explore?job=${__field.labels.job}&value=${__value.raw}' }];
    await save('exemplars', [panel('timeseries', 'Level', 0, 0, 24, 12, [{ refId: 'A', expr: 'ui_level', exemplar: true }], { fieldConfig: { defaults: { links }, overrides: [] } })], {
      annotations: { list: [{ builtIn: 1, type: 'dashboard', name: 'Annotations', enable: true, iconColor: '#ff00ff', datasource: { type: 'grafana', uid: '-- Grafana --' } }] },
    });
    await page.goto(`${base}/d/exemplars`);
    // The middle of the mark, in the pixels of the canvas.
    const mark = () => page.evaluate(() => {
      const c = document.querySelector('[data-panel="Level"] canvas');
      if (!c?.width) return null;
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      let n = 0, x = 0, y = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] === 0x8a && data[i + 1] === 0xb8 && data[i + 2] === 0xff) { n++; x += (i / 4) % c.width; y += Math.floor(i / 4 / c.width); }
      return n > 8 ? { x: x / n, y: y / n } : null;
    });
    const at = await until('the mark of the exemplar', mark);
    const canvas = await page.locator('[data-panel="Level"] canvas').boundingBox();
    await page.mouse.move(canvas.x + at.x, canvas.y + at.y + 1);
    await until('its labels', async () => /trace_id/.test(await page.locator('[data-panel="Level"] .tip').innerText()));
    await page.mouse.click(canvas.x + at.x, canvas.y + at.y + 1);
    const open = page.locator('.event-tip a', { hasText: 'Open the trace' });
    check((await open.getAttribute('href')).endsWith(`/trace/${traceId}`), await open.getAttribute('href'));
    await page.mouse.click(canvas.x + at.x + 60, canvas.y + at.y + 4);
    const link = page.locator('.event-tip a', { hasText: 'More of shop' });
    check(/job=shop&value=5$/.test(await link.getAttribute('href')), await link.getAttribute('href'));
  });
  await test('an annotation is edited where it stands', async () => {
    const add = await fetch(`${base}/api/annotations`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dashboardUID: 'exemplars', time: Date.now() - 30_000, text: 'first words', tags: ['a'] }) });
    check(add.ok, await add.text());
    await page.goto(`${base}/d/exemplars`);
    const mark = () => page.evaluate(() => {
      const c = document.querySelector('[data-panel="Level"] canvas');
      if (!c?.width) return null;
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      for (let i = 0; i < data.length; i += 4) if (data[i] > 230 && data[i + 1] < 40 && data[i + 2] > 230) return (i / 4) % c.width;
      return null;
    });
    const x = await until('its mark', mark);
    const canvas = await page.locator('[data-panel="Level"] canvas').boundingBox();
    const over = await page.locator('[data-panel="Level"] .u-over').boundingBox();
    await page.mouse.click(canvas.x + x, over.y + 12);
    await page.locator('.event-tip button', { hasText: 'Edit' }).click();
    await page.locator('.save textarea').fill('second words');
    await page.locator('.save [data-confirm]').click();
    await until('the change in the store', async () => (await (await fetch(`${base}/api/annotations?dashboardUID=exemplars`)).json()).some((a) => a.text === 'second words' && a.tags.join() === 'a'));
    // A stretch of time: a drag with Ctrl.
    // The panel may be drawn anew under it, as it was just saved.
    await until('the dialog of the stretch', async () => {
      await page.keyboard.down('Control');
      await page.mouse.move(over.x + 100, over.y + 40);
      await page.mouse.down();
      await page.mouse.move(over.x + 260, over.y + 44, { steps: 3 });
      await page.mouse.up();
      await page.keyboard.up('Control');
      return page.locator('.save textarea').waitFor({ timeout: 1000 }).then(() => true, () => false);
    });
    await page.locator('.save textarea').fill('a while');
    await page.locator('.save [data-confirm]').click();
    await until('the stretch in the store', async () => (await (await fetch(`${base}/api/annotations?dashboardUID=exemplars`)).json()).some((a) => a.text === 'a while' && a.timeEnd > a.time));
  });
  await test('panels in several languages are asked in one request', async () => {
    const line = { streams: [{ stream: { service_name: 'ui-lines' }, values: [[`${Date.now() - 5000}000000`, 'a line that is <b>looked for</b>']] }] };
    const sent = await fetch(`${base}/loki/loki/api/v1/push`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(line) });
    check(sent.ok, await sent.text());
    const of = (type) => ({ type, uid: type });
    await save('tongues', [
      panel('timeseries', 'PromQL', 0, 0, 8, 8, [{ refId: 'A', expr: 'node_load1', interval: '1s' }]),
      panel('logs', 'Lines', 8, 0, 8, 8, [{ refId: 'A', expr: '{service_name="ui-lines"}', datasource: of('loki') }]),
      panel('stat', 'LogQL', 16, 0, 8, 8, [{ refId: 'A', expr: 'sum(count_over_time({service_name="ui-lines"}[1m]))', datasource: of('loki') }]),
      panel('timeseries', 'Graphite', 12, 8, 12, 8, [{ refId: 'A', target: 'constantLine(7)', hide: true, datasource: of('graphite') }, { refId: 'B', target: 'alias(scale(#A, 2), "twice")', datasource: of('graphite') }]),
      panel('traces', 'Found', 0, 8, 12, 8, [{ refId: 'A', query: '{resource.service.name="shop<b>"}', datasource: of('tempo') }]),
    ], { time: { from: 'now-15m', to: 'now' } });
    const languages = (await (await fetch(`${base}/api/pharos/v1/query/languages`)).json()).map((l) => l.lang);
    const asked = [];
    const listen = (r) => /v1\/query$|\/loki\/|\/tempo\/|\/graphite\//.test(r.url()) && asked.push(r);
    page.on('request', listen);
    await page.goto(`${base}/d/tongues`);
    await until('the line', async () => (await page.locator('[data-panel="Lines"]').innerText()).includes('a line that is <b>looked for</b>'));
    await until('the count', async () => /1/.test(await page.locator('[data-panel="LogQL"]').innerText()));
    await until('the trace', async () => (await page.locator('[data-panel="Found"] .linkish').count()) === 1);
    await until('the target of another target', async () => (await page.locator('[data-panel="Graphite"] .leg-name').allInnerTexts()).join() === 'twice');
    page.off('request', listen);
    const other = asked.filter((r) => /\/(loki|graphite)\//.test(r.url()) || (languages.includes('traceql') && /\/tempo\//.test(r.url())));
    check(other.length === 0, other.map((r) => r.url()).join(' '));
    const langs = asked.filter((r) => r.url().endsWith('v1/query')).map((r) => JSON.parse(r.postData()).queries.map((q) => q.lang ?? 'promql').sort().join());
    check(langs.some((l) => l.includes('logql,logql') && l.includes('promql') && l.includes('graphite')), langs.join(' | '));
  });
}
