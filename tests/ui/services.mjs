// Services in the browser, over metrics that the server made of real spans: the map, the list, the page of one.

export async function services({ page, base, test, check, until, drawn }) {
  const ask = async (query) => (await (await fetch(`${base}/prometheus/api/v1/query?query=${encodeURIComponent(query)}`)).json()).data?.result ?? [];
  await until('metrics of the spans', async () => (await ask('traces_service_graph_request_total')).length >= 3 && (await ask('traces_spanmetrics_calls_total')).length > 3);

  await test('the map shows who calls whom, with rate and errors', async () => {
    await page.goto(`${base}/services?from=now-15m&to=now&refresh=2s`);
    for (const name of ['front', 'cart', 'payment']) await page.locator(`[data-node="${name}"]`).waitFor({ timeout: 60000 });
    const edges = await page.locator('.ng-edge').evaluateAll((list) => list.map((e) => e.getAttribute('data-edge').split('\x01').slice(0, 2).join('>')));
    for (const e of ['front>cart', 'front>payment']) check(edges.includes(e), `${e} is missing: ${edges.join(' ')}`);
    check((await page.locator('.ng-stat').allTextContents()).some((t) => /req/.test(t)), 'no rates on the edges');
    check(/Failed \d+ %/.test(await page.locator('[data-node="payment"]').locator('title').textContent()), await page.locator('[data-node="payment"]').getAttribute('aria-label'));
  });
  await test('the list has figures and is sorted by a click', async () => {
    const names = () => page.locator('.sv-table tbody tr td:first-child').allInnerTexts();
    await until('services', async () => (await names()).length >= 4);
    await page.locator('.sv-table th button', { hasText: 'Errors' }).click();
    await until('the worst first', async () => (await names())[0].includes('payment'));
    check(/%/.test(await page.locator('.sv-table tbody tr').first().innerText()), 'no share of errors');
    await page.locator('input[aria-label="Search services"]').fill('cart');
    await until('one', async () => (await names()).length === 1);
  });
  await test('a node leads to its service: operations, latency, failed traces, logs', async () => {
    await page.goto(`${base}/services?from=now-30m&to=now&refresh=`);
    await page.locator('[data-node="payment"]').focus();
    await page.keyboard.press('Enter');
    await page.locator('.ng-open a', { hasText: 'The service' }).click();
    await page.waitForURL(/\/service\/payment/);
    await until('the operation', async () => (await page.locator('.sv-table').innerText()).includes('payment.Charge'));
    check(/p95/.test(await page.locator('.sv-figures').innerText()), 'no figures');
    await until('its calls', async () => (await page.locator('.sv-map .ng-node').count()) >= 2);
    await until('failed traces', async () => (await page.locator('.card', { hasText: 'Failed' }).locator('a', { hasText: '/checkout' }).count()) > 0);
    await until('lines', async () => (await page.locator('.sv .log-text').allInnerTexts()).some((t) => t.includes('charged')));
    await page.locator('button', { hasText: 'Warnings and errors' }).click();
    await until('the bad ones alone', async () => { const t = await page.locator('.sv .log-text').allInnerTexts(); return t.length > 0 && t.every((x) => x.includes('declined')); });
    await page.locator('button', { hasText: 'All spans' }).click();
    await until('what else it does', async () => (await page.locator('.sv-table').innerText()).includes('INSERT orders'));
    await page.locator('.card', { hasText: 'Failed' }).locator('a', { hasText: '/checkout' }).first().click();
    await page.waitForURL(/\/trace\/[0-9a-f]+\?.*span=/);
    await until('the failed span, open', async () => (await page.locator('.tr-details').innerText()).includes('card declined'));
  });
  await test('an exemplar of the latency leads to its trace', async () => {
    const at = `${base}/service/front?from=now-15m&to=now&refresh=2s`;
    await page.goto(at);
    // The points are drawn in a colour that no line of this drawing has.
    const spot = () => page.evaluate(() => {
      const c = document.querySelector('[data-panel="Latency"] canvas');
      if (!c?.width) return null;
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      const probe = document.createElement('canvas').getContext('2d');
      let best = null;
      for (let y = 3; y < c.height - 3; y++) for (let x = 3; x < c.width - 3; x++) {
        const i = (y * c.width + x) * 4;
        // Yellow: much red and green, little blue; around it too.
        const yellow = (k) => data[k] > 150 && data[k + 1] > 120 && data[k + 2] < 110 && data[k] > data[k + 2] + 80 && data[k + 1] > data[k + 2] + 50;
        if (yellow(i) && yellow(i - 8) && yellow(i + 8) && yellow(i - 8 * c.width) && yellow(i + 8 * c.width)) best = { x, y };
      }
      void probe;
      if (!best) return null;
      const r = c.getBoundingClientRect();
      return { x: r.left + (best.x * r.width) / c.width, y: r.top + (best.y * r.height) / c.height };
    });
    const p = await until('a point', spot);
    await page.mouse.move(p.x, p.y);
    await until('its tooltip', async () => (await page.locator('[data-panel="Latency"]').innerText()).includes('trace_id'));
    await page.mouse.click(p.x, p.y);
    await page.waitForURL(/\/trace\/[0-9a-f]{32}/, { timeout: 60000 });
    await until('its spans', async () => (await page.locator('.tr-row').count()) > 3);
  });
  await test('a name that is markup stays text', async () => {
    await page.goto(`${base}/service/${encodeURIComponent('<img src=x onerror="window.__xss=50">')}?from=now-5m&to=now&refresh=`);
    await until('its page', async () => (await page.locator('h1').innerText()).includes('<img'));
    check((await page.evaluate(() => window.__xss)) === undefined && (await page.locator('main img').count()) === 0, 'a name of a service ran code');
  });
}
