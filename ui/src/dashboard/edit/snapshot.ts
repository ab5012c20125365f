// A dashboard with its data inside, to be looked at later or by somebody without access to the store.

import { dashboards, type Json } from '../../api/dashboards';
import { scrapeMs } from '../../api/interval';
import { range } from '../../time/state';
import { allPanels } from '../model/ids';
import type { Session } from '../model/session';
import type { Panel } from '../model/types';
import { WITHOUT_QUERY } from '../panels/registry';
import { runPanel } from '../query/run';
import { toWire } from '../query/wire';

/** Asks every panel once for what it shows now and stores the whole. */
export async function takeSnapshot(s: Session, name: string, expiresS: number, say: (done: number, all: number) => void): Promise<string> {
  const r = range.peek();
  const m = structuredClone(s.model.peek());
  const todo = allPanels(m.panels).filter((p) => p.type !== 'row' && !WITHOUT_QUERY.has(p.type));
  let done = 0;
  await Promise.all(
    todo.map(async (p: Panel) => {
      const data = await runPanel(
        p,
        { fromMs: r.fromMs, toMs: r.toMs, forced: false, maxDataPoints: 500, scrapeMs: scrapeMs.peek(), lookup: s.vars.lookup(), title: m.title, uid: String(m.uid ?? ''), panel: (id) => s.panel(id), filters: s.filters() },
        new AbortController().signal,
      );
      p['snapshotData'] = toWire(data.frames);
      // What was asked does not go along.
      p.targets = [];
      p.links = [];
      say(++done, todo.length);
    }),
  );
  const list = (m.templating?.list ?? []).map((v) => {
    const st = s.vars.state(v.name);
    return { ...v, type: 'custom', query: '', options: [], refresh: 0, multi: true, current: { text: st?.value ?? [], value: st?.value ?? [] } };
  });
  const dashboard = { ...m, time: { from: String(r.fromMs), to: String(r.toMs) }, refresh: '', templating: { list }, annotations: { list: [] }, snapshot: { timestamp: new Date().toISOString() } };
  return (await dashboards.snapshot(dashboard as unknown as Json, name, expiresS)).key;
}
