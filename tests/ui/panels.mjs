// Panels that are no plain charts, over answers of the real server.

let nextId = 0;
const prom = { type: 'prometheus', uid: 'prometheus' };
const panel = (type, title, x, y, w, h, targets, more = {}) => ({ id: ++nextId, type, title, gridPos: { x, y, w, h }, datasource: prom, targets, ...more });
const edge = (a, b, v) => `label_replace(label_replace(vector(${v}), "source", "${a}", "", ""), "target", "${b}", "", "")`;

export async function panels({ page, base, test, check, until }) {
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
}
