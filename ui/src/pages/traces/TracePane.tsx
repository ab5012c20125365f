// Traces in a pane of the explorer: found by parts or TraceQL, with their rate, errors and durations above the list.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { searchTraces, type FoundTrace } from '../../api/tempo';
import { useLoad, useRange } from '../../api/live';
import { ApiError, isAbort } from '../../api/prom';
import { Failure } from '../../chart/Panel';
import { Session } from '../../dashboard/model/session';
import { isMetricsQuery } from '../../dashboard/query/tempo';
import { PanelFrame } from '../../dashboard/view/PanelFrame';
import { QueryEditor } from '../../editor/QueryEditor';
import { format } from '../../format/units';
import { Icon } from '../../shell/icons';
import { go, href } from '../../shell/router';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { valueText } from '../../traces/trace';
import { nsText } from '../../traces/text';
import { TraceBuilder } from '../explore/builder/TraceBuilder';
import { download, toCsv } from '../explore/csv';
import type { Query } from '../explore/panes';
import { AddButton, markOf, QueryRow, RunButton, useDraft } from '../explore/queries';
import { PaneHead, type PaneProps } from '../explore/PaneHead';
import type { HeatCell } from '../../dashboard/panels/props';
import { metricPanel, redPanels, withDuration } from './panels';
import '../../dashboard/view/dashboard.css';
import '../../dashboard/view/panels.css';
import '../../traces/traces.css';

const ALL = '{}';
const LIMITS = [20, 100, 500];

const startMs = (t: FoundTrace): number => Number((t.startTimeUnixNano ?? '0').slice(0, -6));

type SortBy = 'start' | 'duration' | 'spans';

/** A trace and the queries that found it. */
interface Found extends FoundTrace {
  refs: string[];
}

interface FoundAll {
  found: Found[];
  errors: { refId: string; error: Error }[];
  /** A query had more to find. */
  full: boolean;
}

/** What several searches find, each trace once with the spans that any of them matched. */
async function searchAll(list: Query[], fromMs: number, toMs: number, limit: number, signal: AbortSignal): Promise<FoundAll> {
  const got = await Promise.allSettled(list.map((q) => searchTraces(q.expr, fromMs, toMs, limit, signal)));
  const by = new Map<string, Found>();
  const out: FoundAll = { found: [], errors: [], full: false };
  got.forEach((g, i) => {
    const { refId } = list[i]!;
    if (g.status === 'rejected') {
      if (isAbort(g.reason)) throw g.reason;
      out.errors.push({ refId, error: g.reason as Error });
      return;
    }
    out.full ||= g.value.length >= limit;
    for (const t of g.value) {
      const had = by.get(t.traceID);
      if (had) by.set(t.traceID, { ...had, refs: [...had.refs, refId], spanSets: [...(had.spanSets ?? []), ...(t.spanSets ?? [])] });
      else by.set(t.traceID, { ...t, refs: [refId] });
    }
  });
  out.found = [...by.values()].sort((a, b) => startMs(b) - startMs(a));
  return out;
}

function spansOf(t: FoundTrace): { spans: number; errors: number } {
  let spans = 0;
  let errors = 0;
  for (const s of Object.values(t.serviceStats ?? {})) {
    spans += s.spanCount ?? 0;
    errors += s.errorCount ?? 0;
  }
  return { spans, errors };
}

function FoundRow({ t, several, longest, open, onOpen }: { t: Found; several: boolean; longest: number; open: boolean; onOpen: () => void }) {
  const { spans, errors } = spansOf(t);
  const matched = t.spanSets?.reduce((n, s) => n + (s.matched ?? 0), 0) ?? 0;
  return (
    <>
      <tr class={open ? 'on' : ''}>
        <td class="tr-start">
          <button type="button" class="turn-btn" aria-expanded={open} aria-label="Spans that were found" onClick={onOpen}>
            <Icon name={open ? 'down' : 'right'} size={11} />
          </button>
          {several && t.refs.map((r) => <span class="ref" key={r} title={`Found by query ${r}`}>{r}</span>)}
          {formatInstant(startMs(t), zone.value)}
        </td>
        <td>{t.rootServiceName}</td>
        <td>
          <a data-link href={href(`/trace/${t.traceID}`)}>
            {t.rootTraceName || t.traceID}
          </a>
        </td>
        <td class="num hide-s">
          {errors > 0 && <span class="tag bad">{errors} failed</span>} {spans || ''}
        </td>
        <td class="num hide-s">{matched || ''}</td>
        <td>
          <span class="tr-dur">
            <span class="bar">
              <i style={{ width: `${((t.durationMs ?? 0) / longest) * 100}%` }} />
            </span>
            <span class="num">{format(t.durationMs ?? 0, 'ms')}</span>
          </span>
        </td>
      </tr>
      {open && (
        <tr class="tr-found">
          <td colSpan={6}>
            <table>
              <tbody>
                {t.spanSets?.flatMap((set) =>
                  (set.spans ?? []).map((s) => (
                    <tr key={s.spanID}>
                      <td>
                        <a data-link href={href(`/trace/${t.traceID}`, { span: s.spanID })}>
                          {s.name || s.spanID}
                        </a>
                      </td>
                      <td class="num">{nsText(Number(s.durationNanos ?? 0))}</td>
                      <td class="dim">{(s.attributes ?? []).map((a) => `${a.key}=${valueText(a.value)}`).join(' ')}</td>
                    </tr>
                  )),
                )}
              </tbody>
            </table>
          </td>
        </tr>
      )}
    </>
  );
}

export function TracePane(p: PaneProps) {
  const { pane } = p;
  const draft = useDraft(p);
  const { queries } = draft;
  // Nothing asked is all there is.
  const active = draft.active.length ? draft.active : pane.queries.some((q) => q.hide) ? [] : [{ refId: 'A', expr: ALL, hide: false }];
  const searches = active.filter((q) => !isMetricsQuery(q.expr));
  const numbers = active.filter((q) => isMetricsQuery(q.expr));
  const metrics = searches.length === 0;
  const [limit, setLimit] = useState(100);
  const [sort, setSort] = useState<{ by: SortBy; desc: boolean }>({ by: 'start', desc: true });
  const [open, setOpen] = useState<string | null>(null);
  const [id, setId] = useState('');
  const range = useRange();
  const session = useMemo(() => {
    const s = new Session({ title: 'Traces', panels: [], schemaVersion: 42, graphTooltip: 1 } as never, null, new URLSearchParams());
    void s.vars.start();
    return s;
  }, []);
  useEffect(() => () => session.stop(), [session]);
  const load = useLoad((signal, r) => searchAll(searches, r.fromMs, r.toMs, limit, signal), [JSON.stringify(searches), limit], !metrics);
  const value = (t: FoundTrace): number => (sort.by === 'start' ? startMs(t) : sort.by === 'duration' ? (t.durationMs ?? 0) : spansOf(t).spans);
  const found = metrics ? [] : (load.value?.found ?? []);
  const list = sort.by === 'start' && sort.desc ? found : found.slice().sort((a, b) => (value(a) - value(b)) * (sort.desc ? -1 : 1));
  const longest = Math.max(1, ...found.map((t) => t.durationMs ?? 0));
  const errors = load.value?.errors ?? [];
  const none = errors.length > 0 && errors.every((e) => e.error instanceof ApiError && e.error.status === 404);
  const full = load.value?.full ?? false;
  const panels = useMemo(() => [...(searches.length ? redPanels(searches) : []), ...numbers.map((q, i) => metricPanel(q, 10 + i))], [JSON.stringify(active)]);
  /** The traces of a cell, beside: at its time, with spans of its durations. */
  const showCell = (c: HeatCell) => p.open('traces', [withDuration((searches[0] ?? active[0])?.expr ?? ALL, c.low, c.high)], true, { from: String(Math.round(c.fromMs)), to: String(Math.round(c.toMs)) });
  const head = (by: SortBy, name: string, more = '') => (
    <th class={more} aria-sort={sort.by === by ? (sort.desc ? 'descending' : 'ascending') : undefined}>
      <button type="button" onClick={() => setSort({ by, desc: sort.by === by ? !sort.desc : true })}>
        {name}
        {sort.by === by ? (sort.desc ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  const rows = () => list.map((t) => ({ traceID: t.traceID, start: new Date(startMs(t)).toISOString(), service: t.rootServiceName ?? '', name: t.rootTraceName ?? '', durationMs: t.durationMs ?? 0, ...spansOf(t) }));
  return (
    <div class="tr-page">
      <section class="card tr-query">
        <PaneHead {...p} draft={queries} onPick={draft.put} stepMs={Math.max(1000, Math.round((range.toMs - range.fromMs) / 100))} />
        {queries.map((q) => {
          const { mark, text } = markOf(q, pane.queries.find((x) => x.refId === q.refId)?.expr, none ? undefined : errors.find((e) => e.refId === q.refId)?.error);
          return (
            <QueryRow key={q.refId} q={q} draft={draft} error={text}>
              {pane.view.builder ? (
                <TraceBuilder
                  expr={q.expr}
                  onChange={(expr) => draft.type(q.refId, expr)}
                  onRun={(expr) => draft.runOne(q.refId, expr)}
                  onCode={() => {
                    const { builder: _, ...rest } = pane.view;
                    p.change({ view: rest });
                  }}
                />
              ) : (
                <QueryEditor text={q.expr} label={`Query ${q.refId}`} lang="traceql" onChange={(expr) => draft.type(q.refId, expr)} onRun={(expr) => draft.runOne(q.refId, expr)} onFocus={() => draft.focus(q.refId)} autofocus={false} mark={mark} />
              )}
            </QueryRow>
          );
        })}
        <div class="q-bar">
          <RunButton draft={draft} />
          <AddButton draft={draft} />
        </div>
        <form
          class="lg-row"
          onSubmit={(e) => {
            e.preventDefault();
            if (id.trim()) go(href(`/trace/${encodeURIComponent(id.trim())}`));
          }}
        >
          <input type="search" placeholder="Go to a trace by its id…" aria-label="Trace id" spellcheck={false} value={id} onInput={(e) => setId(e.currentTarget.value)} />
          <span class="grow" />
          {!metrics && (
            <>
              <select aria-label="Most traces to list" value={String(limit)} onChange={(e) => setLimit(Number(e.currentTarget.value))}>
                {LIMITS.map((n) => (
                  <option key={n} value={n}>
                    {n} traces
                  </option>
                ))}
              </select>
              <button type="button" class="btn small" disabled={found.length === 0} title="Download the list as CSV" onClick={() => download('traces.csv', toCsv([['trace', 'start', 'service', 'name', 'duration ms', 'spans', 'errors'], ...rows().map((r) => Object.values(r))]))}>
                <Icon name="download" size={12} /> CSV
              </button>
              <button type="button" class="btn small" disabled={found.length === 0} title="Download the list as JSON" onClick={() => download('traces.json', JSON.stringify(rows(), null, 1), 'application/json')}>
                <Icon name="download" size={12} /> JSON
              </button>
            </>
          )}
        </form>
      </section>
      {load.error && !metrics && <Failure error={load.error} />}
      {none ? (
        <div class="empty big">This server has no door for traces.</div>
      ) : (
        <>
          <div class={panels.length === 1 ? 'tr-red one' : 'tr-red'}>
            {panels.map((panel) => (
              <PanelFrame key={panel.id} session={session} onCell={panel.type === 'heatmap' ? showCell : undefined} placed={{ key: `t${panel.id}`, panel, pos: { x: 0, y: 0, w: 8, h: 6 }, scoped: {}, copy: true }} annotations={[]} alone />
            ))}
          </div>
          {!metrics && (
            <section class="card table-scroll" aria-label="Traces found" aria-busy={load.loading}>
              <table class="table tr-list">
                <thead>
                  <tr>
                    {head('start', 'Start')}
                    <th>Service</th>
                    <th>Name</th>
                    {head('spans', 'Spans', 'num hide-s')}
                    <th class="num hide-s">Found</th>
                    {head('duration', 'Duration')}
                  </tr>
                </thead>
                <tbody>
                  {list.map((t) => (
                    <FoundRow key={t.traceID} t={t} several={searches.length > 1} longest={longest} open={open === t.traceID} onOpen={() => setOpen(open === t.traceID ? null : t.traceID)} />
                  ))}
                </tbody>
              </table>
              {!load.loading && list.length === 0 && !load.error && errors.length === 0 && <div class="empty">{draft.active.length ? 'No traces match in this time range.' : 'No traces in this time range. Send some by OTLP, Zipkin or Jaeger; the Status page says where.'}</div>}
              {full && <p class="note">The newest {limit}{searches.length > 1 ? ' of each query' : ''}; narrow the query or the time range for others.</p>}
            </section>
          )}
        </>
      )}
    </div>
  );
}
