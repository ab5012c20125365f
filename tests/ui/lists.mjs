// Folders in folders, playlists, and what was given away.

export async function lists({ page, base, test, check, until }) {
  const post = async (path, body, method = 'POST') => {
    const res = await fetch(`${base}/api/${path}`, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const text = await res.text();
    check(res.ok, text);
    return JSON.parse(text);
  };
  const api = async (path) => (await fetch(`${base}/api/${path}`)).json();
  const board = (uid, more = {}) => post('dashboards/db', { overwrite: true, dashboard: { uid, title: `Board ${uid}`, tags: ['wall'], schemaVersion: 42, time: { from: 'now-1m', to: 'now' }, refresh: '', panels: [{ id: 1, type: 'text', title: `Text ${uid}`, gridPos: { x: 0, y: 0, w: 24, h: 4 }, options: { mode: 'markdown', content: uid } }] }, ...more });
  let answer = '';
  const onDialog = (d) => d.accept(answer);
  page.on('dialog', onDialog);

  await test('folders lie in folders; dashboards move between them', async () => {
    await post('folders', { uid: 'outer', title: 'Outer' });
    await board('one');
    await board('two');
    await page.goto(`${base}/dashboards`);
    answer = 'Inner';
    await page.locator('button[aria-label="Menu of the folder Outer"]').click();
    await page.locator('[role="menuitem"]', { hasText: 'New folder in it' }).click();
    const head = page.locator('.dl-head', { hasText: 'Inner' });
    await until('the path of the inner folder', async () => (await head.count()) === 1 && /Outer \/\s*Inner/.test(await head.innerText()));
    const inner = (await api('search?type=dash-folder')).find((f) => f.title === 'Inner');
    check(inner.folderUid === 'outer', JSON.stringify(inner));
    await page.locator('button[aria-label="Menu of Board one"]').click();
    await page.locator('select[aria-label="Move Board one to"]').selectOption(inner.uid);
    await until('the move', async () => (await api('dashboards/uid/one')).meta.folderUid === inner.uid);
    await page.goto(`${base}/dashboards?query=Board`);
    await until('both found', async () => (await page.locator('.dl-title', { hasText: 'Board' }).count()) === 2);
    await page.locator('button.tag', { hasText: 'wall' }).first().click();
    await until('the tag in the address', async () => page.url().includes('tag=wall'));
    await page.locator('button[aria-label="Star Board two"]').click();
    await until('the star', async () => (await api('dashboards/uid/two')).meta.isStarred === true);
  });
  await test('a playlist is made, played in a kiosk, and stopped', async () => {
    await page.goto(`${base}/playlists`);
    await page.locator('button', { hasText: 'New playlist' }).click();
    const form = page.locator('.playlist-edit');
    await form.locator('input[type=text]').first().fill('Wall');
    await form.locator('input[type=text]').nth(1).fill('1s');
    await form.locator('.playlist-hits .row-btn', { hasText: 'Board one' }).click();
    await form.locator('.playlist-hits .row-btn', { hasText: 'Board two' }).click();
    await form.locator('[data-confirm]').click();
    const row = page.locator('[data-playlist="Wall"]');
    await row.waitFor();
    const [stored] = (await api('playlists')).filter((p) => p.name === 'Wall');
    check((await api(`playlists/${stored.uid}`)).items.map((i) => i.value).join() === 'one,two', 'the items are stored otherwise');
    await row.locator('button', { hasText: 'Play' }).click();
    await page.waitForURL(/\/d\/one.*kiosk/);
    await page.waitForURL(/\/d\/two.*kiosk/, { timeout: 60000 });
    await page.waitForURL(/\/d\/one.*kiosk/, { timeout: 60000 });
    check((await page.locator('.dash-bar').count()) === 0 || !(await page.locator('.dash-bar').isVisible()), 'a kiosk has a bar');
    await page.mouse.move(300, 300);
    await page.locator('[data-stop]').click();
    await until('the usual view', async () => !page.url().includes('kiosk'));
    const at = page.url();
    await new Promise((r) => setTimeout(r, 1500));
    check(page.url() === at, 'it goes on after it was stopped');
  });
  await test('snapshots and public links are listed and taken back', async () => {
    await post('snapshots', { name: 'Frozen', dashboard: { title: 'Frozen', panels: [] } });
    await post('dashboards/uid/two/public-dashboards', { isEnabled: true, share: 'public' });
    await page.goto(`${base}/dashboard/shared`);
    const snap = page.locator('[data-snap="Frozen"]');
    await snap.waitFor();
    const open = page.locator('[data-public="two"] input[type=checkbox]');
    await open.uncheck();
    await until('the link closed', async () => (await api('dashboards/uid/two/public-dashboards')).isEnabled === false);
    await snap.locator('button[aria-label="Delete the snapshot Frozen"]').click();
    await until('no snapshot', async () => (await api('dashboard/snapshots')).every((s) => s.name !== 'Frozen'));
    await until('an empty list', async () => (await snap.count()) === 0);
  });
  await test('a panel goes into the library, is used elsewhere and changed for all', async () => {
    await page.goto(`${base}/d/one`);
    answer = 'Shared words';
    await page.locator('.panel', { hasText: 'Text one' }).hover();
    await page.locator('button[aria-label="Menu of Text one"]').click();
    await page.locator('[role="menuitem"]', { hasText: 'Make a library panel' }).click();
    await until('it in the library', async () => (await api('library-elements?searchString=shared')).result.totalCount === 1);
    await page.locator('[data-save]').click();
    await page.locator('.save [data-confirm]').click();
    await until('only a reference in the dashboard', async () => {
      const [p] = (await api('dashboards/uid/one')).dashboard.panels;
      return p.libraryPanel?.name === 'Shared words' && p.options === undefined;
    });
    await page.goto(`${base}/d/two`);
    await page.locator('[data-edit]').click();
    await page.locator('.dash-bar button', { hasText: 'Add' }).click();
    await page.locator('[role="menuitem"]', { hasText: 'Library panel' }).click();
    await page.locator('[data-library="Shared words"] .row-btn').click();
    await until('it on the dashboard', async () => (await page.locator('[data-panel="Text one"]').count()) === 1);
    await page.locator('[data-save]').click();
    await page.locator('.save [data-confirm]').click();
    await until('it stored', async () => (await api('dashboards/uid/two')).dashboard.panels.some((p) => p.libraryPanel?.name === 'Shared words'));
    const id = (await api('dashboards/uid/two')).dashboard.panels.find((p) => p.libraryPanel).id;
    await page.goto(`${base}/d/two?editPanel=${id}`);
    await page.locator('.pe-options textarea').fill('words for all');
    await page.locator('[data-to-library]').click();
    await until('the change in the library', async () => (await api('library-elements?searchString=shared')).result.elements[0].model.options.content === 'words for all');
    await page.goto(`${base}/d/one`);
    await until('it on the first dashboard', async () => (await page.locator('[data-panel="Text one"]').innerText()).includes('words for all'));
  });
  await test('an older version is compared and restored', async () => {
    await board('two', { message: 'second' });
    const { dashboard } = await api('dashboards/uid/two');
    await post('dashboards/db', { dashboard: { ...dashboard, title: 'Board changed' }, message: 'third' });
    await page.goto(`${base}/d/two?editview=versions`);
    const rows = page.locator('.settings tbody tr');
    await until('three versions', async () => (await rows.count()) >= 3);
    await rows.nth(1).locator('button', { hasText: 'Compare' }).click();
    await until('what differs', async () => (await page.locator('.settings .diff').innerText()).includes('Board changed'));
    // The page is loaded anew afterwards.
    const loaded = page.waitForEvent('load');
    await rows.nth(1).locator('button', { hasText: 'Restore' }).click();
    await until('the old title', async () => (await api('dashboards/uid/two')).dashboard.title === 'Board two');
    await loaded;
  });
  page.off('dialog', onDialog);
}
