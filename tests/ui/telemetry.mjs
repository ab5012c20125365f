// A small shop's telemetry over OTLP/HTTP, JSON: traces of four services with errors, events and links, and the log
// lines that belong to their spans. What is random comes from a seed, so that each run sends the same.

export const EVIL = '<img src=x onerror="window.__xss=40">';

function random(seed) {
  let s = seed >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 4294967296;
  };
}

const hex = (next, digits) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');
const value = (v) => (typeof v === 'number' ? (Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v }) : typeof v === 'boolean' ? { boolValue: v } : { stringValue: String(v) });
const attributes = (o) => Object.entries(o).map(([key, v]) => ({ key, value: value(v) }));
const ns = (ms) => String(BigInt(Math.round(ms * 1000)) * 1000n);

/** Spans and log lines by service; `count` traces that end before `endMs`, spread over `spanMs`. */
export function shop({ count = 60, endMs = Date.now(), spanMs = 600_000, seed = 1 } = {}) {
  const next = random(seed);
  const spans = { front: [], cart: [], payment: [], 'orders-db': [] };
  const logs = { front: [], cart: [], payment: [] };
  const ids = [];
  for (let i = 0; i < count; i++) {
    const traceId = hex(next, 32);
    ids.push(traceId);
    const start = endMs - spanMs + (i * spanMs) / count - 2000;
    const slow = 1 + Math.floor(next() * 8);
    const fails = i % 7 === 3;
    const buys = i % 3 === 0;
    const one = (service, name, parentSpanId, kind, from, took, more = {}) => {
      const spanId = hex(next, 16);
      spans[service].push({ traceId, spanId, parentSpanId, name, kind, startTimeUnixNano: ns(start + from), endTimeUnixNano: ns(start + from + took), status: {}, ...more, attributes: attributes(more.attributes ?? {}) });
      return spanId;
    };
    const say = (service, at, level, text, spanId) =>
      logs[service].push({ timeUnixNano: ns(start + at), severityText: level, severityNumber: level === 'ERROR' ? 17 : level === 'WARN' ? 13 : 9, body: { stringValue: text }, traceId, spanId, attributes: attributes({ 'order.id': i }) });
    const name = buys ? 'POST /checkout' : 'GET /products';
    const total = 20 * slow + (buys ? 60 : 0);
    const root = one('front', name, '', 2, 0, total, { attributes: { 'http.request.method': buys ? 'POST' : 'GET', 'http.route': buys ? '/checkout' : '/products', 'http.response.status_code': fails && buys ? 500 : 200 }, status: fails && buys ? { code: 2, message: 'payment refused' } : {} });
    say('front', 1, 'INFO', `level=info method=${buys ? 'POST' : 'GET'} path=${buys ? '/checkout' : '/products'} dur=${total}ms`, root);
    one('front', 'recommend', root, 1, 2, 4 * slow);
    const call = one('front', 'cart.Get', root, 3, 2, 8 * slow, { attributes: { 'rpc.system': 'grpc', 'server.address': 'cart' } });
    const cart = one('cart', 'cart.Get', call, 2, 3, 8 * slow - 2, { attributes: { 'cart.items': 1 + (i % 5) } });
    one('cart', 'SELECT carts', cart, 3, 4, 4 * slow, { attributes: { 'db.system': 'postgresql', 'db.query.text': 'SELECT * FROM carts WHERE id = $1', 'server.address': 'orders-db' } });
    say('cart', 5, 'INFO', JSON.stringify({ level: 'info', msg: 'cart loaded', items: 1 + (i % 5), user: `u${i % 9}` }), cart);
    if (buys) {
      const pay = one('front', 'payment.Charge', root, 3, 10 + 8 * slow, 40, {});
      const charge = one('payment', 'payment.Charge', pay, 2, 11 + 8 * slow, 37, {
        attributes: { amount: 9.5 + i, currency: 'EUR' },
        status: fails ? { code: 2, message: 'card declined' } : {},
        events: fails ? [{ timeUnixNano: ns(start + 30 + 8 * slow), name: 'exception', attributes: attributes({ 'exception.type': 'CardDeclined', 'exception.message': 'card declined' }) }] : [],
        links: ids.length > 1 ? [{ traceId: ids[ids.length - 2], spanId: '1111111111111111' }] : [],
      });
      say('payment', 30 + 8 * slow, fails ? 'ERROR' : 'INFO', fails ? 'level=error msg="card declined" code=51' : 'level=info msg=charged', charge);
      const query = one('payment', 'INSERT orders', charge, 3, 14 + 8 * slow, 10, { attributes: { 'db.system': 'postgresql', 'server.address': 'orders-db' } });
      one('orders-db', 'INSERT orders', query, 2, 15 + 8 * slow, 8, {});
    }
  }
  return { spans, logs, ids };
}

const resource = (service, more = {}) => ({ attributes: attributes({ 'service.name': service, 'service.version': '1.2.0', 'deployment.environment.name': 'test', ...more }) });

export async function post(base, path, body) {
  const r = await fetch(`${base}/otlp/v1/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  if (!r.ok) throw new Error(`${path} answered ${r.status}: ${await r.text()}`);
  return r.json();
}

export const traceBody = (spans, more) => ({ resourceSpans: Object.entries(spans).map(([s, list]) => ({ resource: resource(s, more), scopeSpans: [{ scope: { name: 'shop.lib', version: '2' }, spans: list }] })) });
export const logBody = (logs, more) => ({ resourceLogs: Object.entries(logs).map(([s, list]) => ({ resource: resource(s, more), scopeLogs: [{ scope: { name: 'shop.lib' }, logRecords: list }] })) });

/** Sends a shop's telemetry and gives the ids of its traces. */
export async function sendShop(base, options) {
  const { spans, logs, ids } = shop(options);
  await post(base, 'traces', traceBody(spans));
  await post(base, 'logs', logBody(logs));
  return ids;
}

/** A trace of `count` spans: each has up to two children, all under one root. */
export async function sendBig(base, count, traceId, endMs = Date.now()) {
  const id = (n) => (n + 1).toString(16).padStart(16, '0');
  const start = endMs - 60_000;
  for (let from = 0; from < count; from += 5000) {
    const spans = { 'big-a': [], 'big-b': [] };
    for (let i = from; i < Math.min(count, from + 5000); i++) {
      spans[i % 2 ? 'big-b' : 'big-a'].push({ traceId, spanId: id(i), parentSpanId: i ? id((i - 1) >> 1) : '', name: i === 3 ? EVIL : `step ${i % 40}`, kind: 1, startTimeUnixNano: ns(start + i / 1000), endTimeUnixNano: ns(start + 30_000 - i / 1000), status: i === 5 ? { code: 2, message: 'it broke' } : {}, attributes: attributes({ 'http.route': `/r/${i}`, [i === 3 ? EVIL : 'n']: i === 3 ? EVIL : i }) });
    }
    await post(base, 'traces', traceBody(spans));
  }
}
