// The dashboards that come with the program, on the data of this run: none of their queries fails or warns.

export async function shipped({ page, base, test, check, until }) {
  const list = async () => (await (await fetch(`${base}/api/search?type=dash-db&folderUIDs=pharos`)).json()).map((d) => d.uid);
  await test('dashboards are there for the data that is', async () => {
    for (const uid of ['pharos-self', 'pharos-host-overview', 'pharos-logs', 'pharos-services', 'pharos-service-map']) await until(uid, async () => (await list()).includes(uid));
    check(!(await list()).includes('pharos-redis'), 'there is one for Redis, which sent nothing');
  });
  await test('a level that a stream names is one level of the logs', async () => {
    const stream = { service_name: 'levelled', level: 'warn' };
    const r = await fetch(`${base}/loki/loki/api/v1/push`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ streams: [{ stream, values: [[`${Date.now()}000000`, 'of a stream with its level']] }] }) });
    check(r.ok, `push answered ${r.status}`);
    await page.goto(`${base}/d/pharos-logs?from=now-5m&to=now&refresh=&var-service=levelled`);
    const legend = () => page.locator('.panel', { hasText: 'Lines by level' }).innerText();
    await until('the level', async () => (await legend()).includes('warn'));
    check(!(await legend()).includes('warnwarn'), 'the level is said twice');
  });
  for (const uid of await list()) {
    await test(`${uid} draws all its panels`, async () => {
      await page.goto(`${base}/d/${uid}?from=now-15m&to=now&refresh=`);
      await page.locator('.panel-in').first().waitFor();
      const seen = new Set();
      let bottom = false;
      while (!bottom) {
        await until('what is in view', () => page.evaluate(() => [...document.querySelectorAll('.panel-in')].every((e) => { const r = e.getBoundingClientRect(); return r.bottom < 0 || r.top > innerHeight || e.dataset.state !== 'loading'; })));
        for (const t of await page.locator('.panel-in').evaluateAll((l) => l.filter((e) => { const r = e.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight; }).map((e) => e.dataset.panel))) seen.add(t);
        const bad = await page.locator('.panel-in .failure, .panel .hint.warn, .placeholder').evaluateAll((l) => l.map((e) => e.getAttribute('aria-label') ?? e.textContent));
        check(bad.length === 0, bad.join(' | '));
        bottom = await page.evaluate(() => { const y = scrollY; scrollBy(0, innerHeight * 0.8); return scrollY === y; });
      }
      check(seen.size > 0, 'no panel came into view');
    });
  }
}
