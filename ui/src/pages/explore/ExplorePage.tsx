// The explorer: metrics, logs and traces, in one pane or in two over the same time.

import { useEffect, useMemo } from 'preact/hooks';
import { resolveRange } from '../../time/grammar';
import { current, go, href, path, setParams } from '../../shell/router';
import { TimeContext, useOwnTime } from '../../time/scope';
import { range, rawRange, setRange, timeContext } from '../../time/state';
import { LogPane } from '../logs/LogPane';
import { TracePane } from '../traces/TracePane';
import { MetricPane } from './MetricPane';
import { nextPaneId, paneOf, panesText, parsePanes, SIGNALS, signalOfPath, type Pane, type Signal } from './panes';
import type { PaneProps } from './PaneHead';
import { translate } from './signals';
import './explore.css';

const BODIES = { metrics: MetricPane, logs: LogPane, traces: TracePane };

/** One pane has the page of its signal, two have the explorer's. */
const pathOf = (panes: Pane[]): string => (panes.length > 1 ? '/explore' : SIGNALS.find((s) => s.signal === panes[0]!.signal)!.path);

const isPlain = (panes: Pane[]): boolean => panes.length === 1 && panes[0]!.queries.length === 0 && Object.keys(panes[0]!.view).length === 0;

/** Parameters that `panes` stands for once it has been written. */
function older(p: URLSearchParams): Record<string, null> {
  return Object.fromEntries([...p.keys()].filter((k) => k === 'expr' || k === 'q' || /^g\d+\./.test(k)).map((k) => [k, null]));
}

function write(panes: Pane[], push: boolean): void {
  const text = isPlain(panes) ? null : panesText(panes, rawRange.peek());
  const to = pathOf(panes);
  if (to === path.peek()) setParams({ ...older(current.peek().params), panes: text, schemaVersion: text ? '1' : null }, push);
  else go(href(to, text ? { panes: text, schemaVersion: '1' } : {}), !push);
}

export default function ExplorePage() {
  const params = current.value.params;
  const here = signalOfPath(path.value);
  const asked = [...params].filter(([k]) => k === 'panes' || k === 'expr' || k === 'q' || /^g\d+\.expr$/.test(k));
  const { panes, range: own } = useMemo(() => parsePanes(params, here), [JSON.stringify(asked), here]);

  useEffect(() => {
    // A link from Grafana carries its range inside.
    if (!own || params.has('from')) return;
    if (panes.some((p) => p.view.time)) write(panes, false);
    setRange(own, false);
  }, []);
  /** As the address has them: what was given to a pane may be a step behind. */
  const now = () => parsePanes(current.peek().params, signalOfPath(path.peek())).panes;

  useEffect(() => {
    // A link may name another signal than its path does. The address may have gone on since this was drawn.
    const latest = now();
    if (SIGNALS.some((s) => s.path === path.peek()) && pathOf(latest) !== path.peek()) write(latest, false);
  }, [panes]);

  const props = (pane: Pane): PaneProps => ({
    pane,
    split: panes.length > 1,
    change: (patch, push = false) => write(now().map((p) => (p.id === pane.id ? { ...p, ...patch } : p)), push),
    open: (signal: Signal, exprs: string[] | null, beside: boolean, time = pane.view.time) => {
      const show = (list: string[]) => {
        const before = now();
        const id = beside ? nextPaneId(before) : pane.id;
        const next = { ...paneOf(signal, list, id), view: { ...(pane.view.builder ? { builder: true } : {}), ...(time ? { time } : {}) } };
        write(beside ? [...before.filter((p) => p.id === pane.id), next] : before.map((p) => (p.id === pane.id ? next : p)), true);
      };
      if (exprs) return show(exprs);
      const r = pane.view.time ? (resolveRange(pane.view.time, timeContext()) ?? range.peek()) : range.peek();
      void translate(pane.queries, signal, r.fromMs, r.toMs).then(show, () => show([]));
    },
    close: () => write(now().filter((p) => p.id !== pane.id), true),
  });

  return (
    <div class={panes.length > 1 ? 'page panes split' : 'page panes'}>
      {panes.map((pane) => (
        <section class="pane" key={`${pane.id}${pane.signal}`} aria-label={`Pane ${pane.id}: ${pane.signal}`} data-pane={pane.id}>
          <Timed {...props(pane)} />
        </section>
      ))}
    </div>
  );
}

/** A pane in its time: the page's, or its own. */
function Timed(p: PaneProps) {
  const Body = BODIES[p.pane.signal];
  const time = useOwnTime(p.pane.view.time, (raw) => p.change({ view: { ...p.pane.view, time: { from: raw.from, to: raw.to } } }, true));
  return (
    <TimeContext.Provider value={time}>
      <Body {...p} />
    </TimeContext.Provider>
  );
}
