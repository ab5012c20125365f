// Traces in a pane of the explorer: found by parts or TraceQL, with their rate, errors and durations above the list.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { searchTraces, type FoundTrace } from '../../api/tempo';
import { useLoad, useRange } from '../../api/live';
import { ApiError } from '../../api/prom';
import { Failure } from '../../chart/Panel';
import { Session } from '../../dashboard/model/session';
import { isMetricsQuery } from '../../dashboard/query/tempo';
import { PanelFrame } from '../../dashboard/view/PanelFrame';
import { QueryEditor } from '../../editor/QueryEditor';
import { format } from '../../format/units';
import { Icon } from '../../shell/icons';
import { go, href } from '../../shell/router';
import { formatInstant } from '../../time/grammar';
import { refreshNow, zone } from '../../time/state';
import { valueText } from '../../traces/trace';
import { nsText } from '../../traces/text';
import { TraceBuilder } from '../explore/builder/TraceBuilder';
import { download, toCsv } from '../explore/csv';
import { remember } from '../explore/history';
import { PaneHead, type PaneProps } from '../explore/PaneHead';
import { errorPlace, placeOffset } from '../explore/state';
import { metricPanel, redPanels } from './panels';
import '../../dashboard/view/dashboard.css';
import '../../dashboard/view/panels.css';
import '../../traces/traces.css';

const ALL = '{}';
const LIMITS = [20, 100, 500];

const startMs = (t: FoundTrace): number => Number((t.startTimeUnixNano ?? '0').slice(0, -6));

type SortBy = 'start' | 'duration' | 'spans';

function spansOf(t: FoundTrace): { spans: number; errors: number } {
  let spans = 0;
  let errors = 0;
  for (const s of Object.values(t.serviceStats ?? {})) {
    spans += s.spanCount ?? 0;
    errors += s.errorCount ?? 0;
  }
  return { spans, errors };
}

function FoundRow({ t, longest, open, onOpen }: { t: FoundTrace; longest: number; open: boolean; onOpen: () => void }) {
  const { spans, errors } = spansOf(t);
  const matched = t.spanSets?.reduce((n, s) => n + (s.matched ?? 0), 0) ?? 0;
  return (
    <>
      <tr class={open ? 'on' : ''}>
        <td class="tr-start">
          <button type="button" class="turn-btn" aria-expanded={open} aria-label="Spans that were found" onClick={onOpen}>
            <Icon name={open ? 'down' : 'right'} size={11} />
          </button>
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
  const stored = pane.queries.find((q) => !q.hide)?.expr ?? '';
  const query = stored.trim() || ALL;
  const [text, setText] = useState(stored);
  const [limit, setLimit] = useState(100);
  const [sort, setSort] = useState<{ by: SortBy; desc: boolean }>({ by: 'start', desc: true });
  const [open, setOpen] = useState<string | null>(null);
  const [id, setId] = useState('');
  const range = useRange();
  useEffect(() => {
    setText(stored);
    remember([stored], 'traces');
  }, [stored]);
  const session = useMemo(() => {
    const s = new Session({ title: 'Traces', panels: [], schemaVersion: 42, graphTooltip: 1 } as never, null, new URLSearchParams());
    void s.vars.start();
    return s;
  }, []);
  useEffect(() => () => session.stop(), [session]);
  const metrics = isMetricsQuery(query);
  const load = useLoad((signal, r) => searchTraces(query, r.fromMs, r.toMs, limit, signal), [query, limit], !metrics);
  const run = (now: string) => {
    setText(now);
    if (now.trim() === stored.trim()) refreshNow();
    else p.change({ queries: now.trim() === '' ? [] : [{ refId: 'A', expr: now, hide: false }] }, true);
  };
  const value = (t: FoundTrace): number => (sort.by === 'start' ? startMs(t) : sort.by === 'duration' ? (t.durationMs ?? 0) : spansOf(t).spans);
  const found = metrics ? [] : (load.value ?? []);
  const list = sort.by === 'start' && sort.desc ? found : found.slice().sort((a, b) => (value(a) - value(b)) * (sort.desc ? -1 : 1));
  const longest = Math.max(1, ...found.map((t) => t.durationMs ?? 0));
  const none = load.error instanceof ApiError && load.error.status === 404;
  const place = load.error && text === stored ? errorPlace(load.error.message) : null;
  const at = place ? placeOffset(query, place.line, place.column) : 0;
  const panels = useMemo(() => (metrics ? [metricPanel(query)] : redPanels(query)), [query]);
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
        <PaneHead {...p} draft={[{ refId: 'A', expr: text, hide: false }]} onPick={run} stepMs={Math.max(1000, Math.round((range.toMs - range.fromMs) / 100))} />
        {pane.view.builder ? (
          <TraceBuilder
            expr={text}
            onChange={setText}
            onRun={run}
            onCode={() => {
              const { builder: _, ...rest } = pane.view;
              p.change({ view: rest });
            }}
          />
        ) : (
          <div class="lg-row">
            <QueryEditor text={text} label="Query" lang="traceql" onChange={setText} onRun={run} onFocus={() => undefined} autofocus={false} mark={place ? { from: at, to: at + 1, message: place.message } : null} />
            <button type="button" class="btn primary" onClick={() => run(text)}>
              Run
            </button>
          </div>
        )}
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
      {load.error && !none && !metrics && <Failure error={load.error} />}
      {none ? (
        <div class="empty big">This server has no door for traces.</div>
      ) : (
        <>
          <div class={metrics ? 'tr-red one' : 'tr-red'}>
            {panels.map((panel) => (
              <PanelFrame key={panel.id} session={session} placed={{ key: `t${panel.id}`, panel, pos: { x: 0, y: 0, w: 8, h: 6 }, scoped: {}, copy: true }} annotations={[]} alone />
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
                    <FoundRow key={t.traceID} t={t} longest={longest} open={open === t.traceID} onOpen={() => setOpen(open === t.traceID ? null : t.traceID)} />
                  ))}
                </tbody>
              </table>
              {!load.loading && list.length === 0 && !load.error && <div class="empty">{stored ? 'No traces match in this time range.' : 'No traces in this time range. Send some by OTLP, Zipkin or Jaeger; the Status page says where.'}</div>}
              {list.length >= limit && <p class="note">The newest {limit}; narrow the query or the time range for others.</p>}
            </section>
          )}
        </>
      )}
    </div>
  );
}
