// What axe-core finds on the pages people live in, in both themes: names, roles, contrast, focus.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const prom = { type: 'prometheus', uid: 'prometheus' };
const panel = (id, type, title, x, y, expr, more = {}) => ({ id, type, title, description: id === 1 ? 'What it means' : '', gridPos: { x, y, w: 8, h: 7 }, datasource: prom, targets: [{ refId: 'A', expr, format: type === 'table' ? 'table' : undefined, instant: type === 'table' }], ...more });

export async function a11y({ page, base, test, check, until, telemetry }) {
  const res = await fetch(`${base}/api/dashboards/db`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      overwrite: true,
      dashboard: {
        uid: 'readable', title: 'Readable', tags: ['all'], schemaVersion: 42, time: { from: 'now-1m', to: 'now' }, refresh: '',
        templating: { list: [{ type: 'custom', name: 'v', label: 'Pick', query: 'a,b', multi: true, includeAll: true, current: { value: ['a'], text: ['a'] } }, { type: 'textbox', name: 't', query: 'x' }, { type: 'adhoc', name: 'f', datasource: prom, filters: [] }] },
        links: [{ type: 'link', title: 'Elsewhere', url: '/dashboards' }],
        panels: [
          panel(1, 'timeseries', 'Lines', 0, 0, 'sum by (mode) (rate(node_cpu_seconds_total[20s]))'), panel(2, 'stat', 'Stat', 8, 0, 'node_load1'), panel(3, 'gauge', 'Gauge', 16, 0, 'node_load1'),
          panel(4, 'table', 'Table', 0, 7, 'node_filesystem_size_bytes'), panel(5, 'bargauge', 'Bars', 8, 7, 'node_load5'), panel(6, 'piechart', 'Pie', 16, 7, 'sum by (mode) (node_cpu_seconds_total)'),
          panel(7, 'text', 'Words', 0, 14, '', { targets: [], options: { mode: 'markdown', content: '# Words\n[a link](/dashboards)' } }),
          panel(8, 'nodeGraph', 'Graph', 8, 14, '', { targets: [{ refId: 'A', format: 'table', instant: true, expr: 'label_replace(label_replace(vector(1), "source", "a", "", ""), "target", "b", "", "")' }] }),
          panel(9, 'xychart', 'Points', 16, 14, 'node_load1'),
          { id: 10, type: 'row', title: 'Closed', collapsed: true, gridPos: { x: 0, y: 21, w: 24, h: 1 }, panels: [panel(11, 'stat', 'Inside', 0, 22, 'up')] },
        ],
      },
    }),
  });
  check(res.ok, await res.text());
  const look = async (what) => {
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const r = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
      return r.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 4).map((n) => `${n.target.join(' ')} ${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? ''}`).join(' ; ')}`);
    });
    check(found.length === 0, `${what}: ${found.join(' | ')}`);
  };
  const PAGES = [
    ['the list of dashboards', '/dashboards', '.dl-title'],
    ['a dashboard', '/d/readable?from=now-1m&to=now', '[data-panel="Points"][data-state="done"]'],
    ['the panel editor', '/d/readable?editPanel=1', '.pe-options'],
    ['the settings', '/d/readable?editview=variables', '.settings [data-variable]'],
    ['the playlists', '/playlists', '.dl-find'],
    ['an empty dashboard', '/dashboard/new', '.dash-start'],
    ['the host page', '/?from=now-1m&to=now', 'canvas'],
    ['Explore', '/explore?from=now-1m&to=now&expr=node_load1', '.ex-results canvas'],
    ['Explore, built from parts', `/explore?panes=${encodeURIComponent(JSON.stringify({ a: { datasource: 'prometheus', queries: [{ refId: 'A', expr: 'rate(node_cpu_seconds_total[1m])' }], view: { builder: true } }, b: { datasource: 'loki', queries: [{ refId: 'A', expr: '{service_name="cart"}' }], view: { time: { from: 'now-30m', to: 'now' } } } }))}`, '[data-pane="b"] .log'],
    ['logs', '/logs?from=now-30m&to=now', '.log'],
    ['traces', '/traces?from=now-30m&to=now', '.tr-list tbody tr'],
    ['a trace', `/trace/${telemetry[0]}`, '.tr-row'],
    ['services', '/services?from=now-30m&to=now', '.ng-node'],
    ['a service', '/service/payment?from=now-30m&to=now', 'table tbody tr'],
    ['alerts', '/alerts', '.al-rule'],
    ['the status page', '/status', 'table tbody tr'],
    ['inputs', '/inputs', 'h1'],
  ];
  for (const [what, path, ready] of PAGES)
    await test(`${what} can be read by all, dark and light`, async () => {
      await page.goto(`${base}${path}${path.includes('?') ? '&' : '?'}refresh=&theme=dark`);
      await page.locator(ready).first().waitFor({ timeout: 60000 });
      await until('quiet', async () => (await page.locator('[aria-busy="true"]').count()) === 0);
      await look(`${what}, dark`);
      // A dialog may lie over it.
      await page.locator('button[aria-label="Switch to light"]').evaluate((b) => b.click());
      await until('quiet again', async () => (await page.locator('[aria-busy="true"]').count()) === 0);
      await look(`${what}, light`);
    });
  await test('a dashboard is used by keyboard alone', async () => {
    await page.goto(`${base}/d/readable?from=now-1m&to=now`);
    await page.locator('[data-panel="Table"] .tbl-row').first().waitFor();
    await page.locator('[data-var="v"]').focus();
    await page.keyboard.press('Enter');
    await until('the focus in it', () => page.evaluate(() => document.activeElement?.closest('.var-pop') !== null));
    await page.keyboard.press('Escape');
    await page.locator('.var-pop').waitFor({ state: 'detached' });
    check((await page.evaluate(() => document.activeElement?.getAttribute('data-var'))) === 'v', 'the focus did not come back');
    await page.keyboard.press('Control+k');
    await page.locator('.palette input').fill('read');
    await until('the dashboard in the palette', async () => (await page.locator('.palette li', { hasText: 'Readable' }).count()) > 0);
    await page.keyboard.press('Escape');
    await page.locator('.palette').waitFor({ state: 'detached' });
    await page.locator('.dash-row-title', { hasText: 'Closed' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-panel="Inside"]').waitFor();
    await page.keyboard.press('?');
    await page.locator('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('[data-panel="Lines"]').hover();
    await page.keyboard.press('v');
    await until('one panel', async () => new URL(page.url()).searchParams.get('viewPanel') !== null);
    await page.keyboard.press('Escape');
    await until('all panels', async () => new URL(page.url()).searchParams.get('viewPanel') === null);
    await page.locator('[data-panel="Lines"]').hover();
    await page.keyboard.press('e');
    await page.locator('.pe-bar').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('d');
    await page.keyboard.press('k');
    await until('a kiosk', async () => new URL(page.url()).searchParams.has('kiosk'));
    await page.keyboard.press('Escape');
    await until('no kiosk', async () => !new URL(page.url()).searchParams.has('kiosk'));
  });
}
