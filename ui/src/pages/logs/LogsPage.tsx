// The log explorer: a query, how many lines of each level there were when, the lines, their fields.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { doors } from '../../api/doors';
import { quote } from '../../api/expr';
import { isAbort } from '../../api/prom';
import { useRange } from '../../api/live';
import { Failure, panesParam } from '../../chart/Panel';
import { Session } from '../../dashboard/model/session';
import type { Panel } from '../../dashboard/model/types';
import { loki, lokiLabels, lokiLabelValues } from '../../dashboard/query/loki';
import { logRows, type LogRow } from '../../dashboard/query/logs';
import { PanelFrame } from '../../dashboard/view/PanelFrame';
import { QueryEditor } from '../../editor/QueryEditor';
import { LogList, type LogLine } from '../../logs/LogList';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { current, go, href, setParams } from '../../shell/router';
import { safeGet, safeSet } from '../../shell/theme';
import { refreshNow, setAbsolute } from '../../time/state';
import { download, toCsv } from '../explore/csv';
import { Context } from './Context';
import { Fields } from './Fields';
import { fieldCounts, filterLabel, filterLine, isLogQuery, markedWords, volumeQuery } from './query';
import { startTail, type Tail } from './tail';
import '../../dashboard/view/dashboard.css';
import './logs-page.css';

const PAGE = 1000;
const MOST = 50_000;
const LOOKS = 'pharos.logs';

interface Looks {
  time: boolean;
  labels: boolean;
  wrap: boolean;
  pretty: boolean;
  dedup: string;
  oldest: boolean;
}

function savedLooks(): Looks {
  const d: Looks = { time: true, labels: false, wrap: false, pretty: false, dedup: 'none', oldest: false };
  try {
    return { ...d, ...(JSON.parse(safeGet(LOOKS) ?? '{}') as Partial<Looks>) };
  } catch {
    return d;
  }
}

/** The query of the address: Grafana's panes, or a plain `expr`. */
export function exprOf(p: URLSearchParams): string {
  const panes = p.get('panes');
  if (panes) {
    try {
      const pane = Object.values(JSON.parse(panes) as Record<string, { queries?: { expr?: unknown }[] }>)[0];
      const e = pane?.queries?.[0]?.expr;
      if (typeof e === 'string') return e;
    } catch {
      // A mangled link.
    }
  }
  return p.get('expr') ?? '';
}

export interface Row extends LogLine {
  stream: Record<string, string>;
  fields: Record<string, string>;
}

export function toRow(r: LogRow): Row {
  return { timeMs: r.timeMs, ns: r.ns, line: r.line, level: r.level, labels: { ...r.labels, ...r.structured }, stream: r.labels, fields: r.structured };
}

const LEVEL_COLORS: [string, string][] = [
  ['critical|fatal|emerg|alert', 'purple'],
  ['error|err', 'red'],
  ['warn|warning', 'orange'],
  ['info|notice', 'green'],
  ['debug', 'blue'],
  ['trace', 'light-blue'],
  ['unknown|', 'text'],
];

function volumePanel(expr: string): Panel {
  return {
    id: 1,
    type: 'timeseries',
    title: 'Lines',
    gridPos: { x: 0, y: 0, w: 24, h: 5 },
    datasource: { type: 'loki', uid: 'loki' },
    targets: [{ refId: 'A', expr: volumeQuery(expr), legendFormat: '{{level}}{{detected_level}}', datasource: { type: 'loki', uid: 'loki' } }],
    maxDataPoints: 100,
    fieldConfig: {
      defaults: { unit: 'short', custom: { drawStyle: 'bars', barWidthFactor: 0.9, barAlignment: -1, fillOpacity: 80, lineWidth: 0, stacking: { mode: 'normal', group: 'A' } } },
      overrides: LEVEL_COLORS.map(([re, c]) => ({ matcher: { id: 'byRegexp', options: `/^(${re})$/i` }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: c } }] })),
    },
    options: { legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: ['sum'] }, tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

function numbersPanel(expr: string): Panel {
  return {
    id: 2,
    type: 'timeseries',
    title: '',
    gridPos: { x: 0, y: 0, w: 24, h: 10 },
    targets: [{ refId: 'A', expr, legendFormat: '', datasource: { type: 'loki', uid: 'loki' } }],
    fieldConfig: { defaults: { custom: { fillOpacity: 10 } }, overrides: [] },
    options: { legend: { showLegend: true, displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] }, tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

function useLines(expr: string): { rows: Row[]; error: Error | null; loading: boolean; older: () => void; more: boolean } {
  const r = useRange();
  const [state, set] = useState<{ rows: Row[]; error: Error | null; loading: boolean; more: boolean }>({ rows: [], error: null, loading: false, more: false });
  const abort = useRef<AbortController | null>(null);
  const shown = useRef({ expr: '', fromMs: 0, spanMs: 0 });
  const latest = useRef(state);
  latest.current = state;
  const key = (x: Row) => `${x.ns}\x01${x.line}\x01${JSON.stringify(x.stream)}`;
  /** A refresh of a moving range asks only for what is newer and keeps the older pages. */
  const newer = (rows: Row[]) => {
    const mine = (abort.current = new AbortController());
    const fromMs = Math.max(r.fromMs, rows[0]!.timeMs);
    loki.queryRange(expr, fromMs, r.toMs, { limit: PAGE, direction: 'backward' }, mine.signal).then(
      (d) => {
        if (mine.signal.aborted || d.resultType !== 'streams') return;
        const got = logRows(d.result).map(toRow);
        if (got.length >= PAGE) return ask(r.toMs, []);
        const known = new Set(rows.slice(0, PAGE).map(key));
        const fresh = got.filter((x) => !known.has(key(x)));
        const kept = rows.filter((x) => x.timeMs >= r.fromMs);
        if (fresh.length || kept.length !== rows.length) set((s) => ({ ...s, rows: [...fresh, ...kept].slice(0, MOST), error: null }));
      },
      (e: unknown) => {
        if (!mine.signal.aborted && !isAbort(e)) set((s) => ({ ...s, error: e as Error }));
      },
    );
  };
  const ask = (toMs: number, before: Row[]) => {
    abort.current?.abort();
    const mine = (abort.current = new AbortController());
    set((s) => ({ ...s, loading: true }));
    loki.queryRange(expr, r.fromMs, toMs, { limit: PAGE, direction: 'backward' }, mine.signal).then(
      (d) => {
        if (mine.signal.aborted) return;
        const got = d.resultType === 'streams' ? logRows(d.result).map(toRow) : [];
        const known = new Set(before.slice(-PAGE).map(key));
        const fresh = got.filter((x) => !known.has(key(x)));
        const rows = [...before, ...fresh].slice(0, MOST);
        set({ rows, error: null, loading: false, more: got.length >= PAGE && fresh.length > 0 && rows.length < MOST });
      },
      (e: unknown) => {
        if (!mine.signal.aborted && !isAbort(e)) set((s) => ({ ...s, error: e as Error, loading: false }));
      },
    );
  };
  useEffect(() => {
    if (!isLogQuery(expr)) {
      abort.current?.abort();
      set({ rows: [], error: null, loading: false, more: false });
      return;
    }
    const s = shown.current;
    const spanMs = r.toMs - r.fromMs;
    const moved = s.expr === expr && s.spanMs === spanMs && r.fromMs >= s.fromMs && r.fromMs - s.fromMs < spanMs / 2;
    shown.current = { expr, fromMs: r.fromMs, spanMs };
    const { rows, loading } = latest.current;
    if (moved && loading && !r.forced) return;
    abort.current?.abort();
    if (moved && rows.length > 0 && !r.forced) newer(rows);
    else ask(r.toMs, []);
  }, [expr, r.tick, r.fromMs, r.toMs]);
  useEffect(() => () => abort.current?.abort(), []);
  return { ...state, older: () => state.rows.length > 0 && !state.loading && ask(state.rows[state.rows.length - 1]!.timeMs + 1, state.rows) };
}

/** Labels and their values to begin with. */
function Browser({ onPick, onClose }: { onPick: (label: string, value: string) => void; onClose: () => void }) {
  const r = useRange();
  const [labels, setLabels] = useState<string[] | null>(null);
  const [label, setLabel] = useState('');
  const [values, setValues] = useState<string[] | null>(null);
  const [find, setFind] = useState('');
  useEffect(() => void lokiLabels(r.fromMs, r.toMs).then((l) => (setLabels(l), setLabel((now) => now || (l.includes('service_name') ? 'service_name' : (l[0] ?? '')))), () => setLabels([])), []);
  useEffect(() => {
    if (!label) return;
    setValues(null);
    lokiLabelValues(label, undefined, r.fromMs, r.toMs).then(setValues, () => setValues([]));
  }, [label]);
  const shown = (values ?? []).filter((v) => v.toLowerCase().includes(find.toLowerCase()));
  return (
    <Popover onClose={onClose} label="Labels" class="lg-browse">
      <div class="lg-names">
        {labels?.map((l) => (
          <button type="button" key={l} class="row-btn" aria-current={l === label ? 'true' : undefined} onClick={() => setLabel(l)}>
            {l}
          </button>
        ))}
        {labels?.length === 0 && <p class="note">No logs in this time range.</p>}
      </div>
      <div class="lg-values">
        <input type="search" placeholder={`Values of ${label}`} aria-label="Search values" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        {shown.slice(0, 300).map((v) => (
          <button type="button" key={v} class="row-btn cut" onClick={() => onPick(label, v)}>
            {v}
          </button>
        ))}
      </div>
    </Popover>
  );
}

export default function LogsPage() {
  const params = current.value.params;
  const stored = exprOf(params);
  const [text, setText] = useState(stored);
  const [word, setWord] = useState('');
  const [browse, setBrowse] = useState(false);
  const [looks, setLooks] = useState(savedLooks);
  const [live, setLive] = useState<{ rows: Row[]; state: string; text: string } | null>(null);
  const [context, setContext] = useState<Row | null>(null);
  const [side, setSide] = useState(() => innerWidth > 1000);
  const tail = useRef<Tail | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(520);
  useEffect(() => setText(stored), [stored]);
  const lines = useLines(stored);
  const session = useMemo(() => {
    const s = new Session({ title: 'Logs', panels: [], schemaVersion: 42, graphTooltip: 1 } as never, null, new URLSearchParams());
    void s.vars.start();
    return s;
  }, []);
  useEffect(() => () => session.stop(), [session]);
  // Nothing asked yet: begin with all lines of the first service there is.
  useEffect(() => {
    if (stored !== '') return;
    const now = Date.now();
    lokiLabels(now - 3_600_000, now).then(
      async (l) => {
        const name = ['service_name', 'job', 'app', 'container', 'unit', 'host'].find((x) => l.includes(x)) ?? l.find((x) => !x.startsWith('__'));
        if (name && exprOf(current.peek().params) === '') run(`{${name}=~".+"}`);
      },
      () => undefined,
    );
  }, []);
  useEffect(() => {
    const fit = () => list.current && setHeight(Math.max(260, innerHeight - list.current.getBoundingClientRect().top - scrollY - 52));
    fit();
    addEventListener('resize', fit);
    return () => removeEventListener('resize', fit);
  }, [stored === '', lines.rows.length > 0, live !== null]);

  const run = (expr: string) => {
    stop();
    setText(expr);
    if (expr === exprOf(current.peek().params)) refreshNow();
    else setParams({ panes: JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr }] } }), expr: null }, true);
  };
  const stop = () => {
    tail.current?.stop();
    tail.current = null;
    setLive(null);
  };
  useEffect(() => () => tail.current?.stop(), []);
  const goLive = () => {
    if (tail.current) return stop();
    setLive({ rows: [], state: 'waiting', text: 'Connecting…' });
    tail.current = startTail(
      stored,
      (rows) => setLive((l) => l && { ...l, rows: rows.map(toRow) }),
      (state, t) => setLive((l) => l && { ...l, state, text: t }),
    );
  };
  const look = (patch: Partial<Looks>) => {
    const next = { ...looks, ...patch };
    setLooks(next);
    safeSet(LOOKS, JSON.stringify(next));
  };
  const rows = live ? live.rows : lines.rows;
  const shown = useMemo(() => (looks.oldest ? rows.slice().reverse() : rows), [rows, looks.oldest]);
  const counts = useMemo(() => (side ? fieldCounts(rows) : []), [rows, side]);
  const isLog = isLogQuery(stored);
  const filter = (name: string, value: string, out: boolean) => run(filterLabel(stored, name, value, out, counts.find((c) => c.name === name)?.stream ?? rows[0]?.stream[name] !== undefined));
  const csv = () => download('logs.csv', toCsv([['time', 'level', 'line', 'labels'], ...rows.map((r) => [new Date(r.timeMs).toISOString(), r.level, r.line, JSON.stringify(r.labels)])]));
  const toggle = (on: boolean, text_: string, set: () => void) => (
    <button type="button" class="btn small" aria-pressed={on} onClick={set}>
      {text_}
    </button>
  );
  return (
    <div class="page lg">
      <section class="card lg-query">
        <div class="lg-row">
          <span class="anchor">
            <button type="button" class="btn" aria-expanded={browse} onClick={() => setBrowse(!browse)}>
              <Icon name="book" /> Labels
            </button>
            {browse && (
              <Browser
                onClose={() => setBrowse(false)}
                onPick={(l, v) => {
                  setBrowse(false);
                  run(isLog ? filterLabel(stored, l, v, false, true) : `{${l}=${quote(v)}}`);
                }}
              />
            )}
          </span>
          <QueryEditor text={text} label="Query" lang="logql" onChange={setText} onRun={run} onFocus={() => undefined} autofocus={false} mark={null} />
          <button type="button" class="btn primary" onClick={() => run(text)}>
            Run
          </button>
        </div>
        {isLog && (
          <form
            class="lg-row"
            onSubmit={(e) => {
              e.preventDefault();
              if (word) run(filterLine(stored, word, false));
              setWord('');
            }}
          >
            <input type="search" placeholder="Lines that contain…" aria-label="Lines that contain" value={word} onInput={(e) => setWord(e.currentTarget.value)} />
            <button type="button" class={live ? 'btn primary' : 'btn'} aria-pressed={live !== null} onClick={goLive}>
              <Icon name="play" size={12} /> {live ? 'Stop' : 'Live'}
            </button>
            {live && <span class={live.state === 'open' ? 'tag good' : 'tag warn'}>{live.text}</span>}
            <span class="grow" />
            {toggle(side, 'Fields', () => setSide(!side))}
            {toggle(looks.time, 'Time', () => look({ time: !looks.time }))}
            {toggle(looks.labels, 'Labels', () => look({ labels: !looks.labels }))}
            {toggle(looks.wrap, 'Wrap', () => look({ wrap: !looks.wrap }))}
            {toggle(looks.pretty, 'Indent JSON', () => look({ pretty: !looks.pretty }))}
            {toggle(looks.oldest, 'Oldest first', () => look({ oldest: !looks.oldest }))}
            <select aria-label="Duplicates" value={looks.dedup} onChange={(e) => look({ dedup: e.currentTarget.value })}>
              <option value="none">All lines</option>
              <option value="exact">No repeats</option>
              <option value="numbers">No repeats but for numbers</option>
              <option value="signature">No repeats of a shape</option>
            </select>
            <button type="button" class="icon-btn" title="Download as CSV" aria-label="Download as CSV" onClick={csv}>
              <Icon name="download" />
            </button>
          </form>
        )}
      </section>
      {stored === '' && (
        <div class="empty big">
          <h1>No logs yet</h1>
          <p>
            Send some to the Loki door, by OTLP or by syslog (the <a data-link href={href('/status')}>Status page</a> says where), or pick a label to begin.
          </p>
        </div>
      )}
      {lines.error && <Failure error={lines.error} />}
      {stored !== '' && !isLog && (
        <div class="lg-numbers">
          <PanelFrame session={session} placed={{ key: 'n', panel: numbersPanel(stored), pos: { x: 0, y: 0, w: 24, h: 10 }, scoped: {}, copy: true }} annotations={[]} alone />
        </div>
      )}
      {isLog && !live && (
        <div class="lg-volume">
          <PanelFrame session={session} placed={{ key: 'v', panel: volumePanel(stored), pos: { x: 0, y: 0, w: 24, h: 5 }, scoped: {}, copy: true }} annotations={[]} alone />
        </div>
      )}
      {isLog && (
        <div class={side ? 'lg-main with-side' : 'lg-main'}>
          {side && <Fields counts={counts} total={rows.length} height={height} onFilter={filter} />}
          <section class="card lg-lines" ref={list} aria-busy={lines.loading}>
            {shown.length > 0 ? (
              <LogList
                lines={shown}
                height={height}
                showTime={looks.time}
                showLabels={looks.labels}
                wrap={looks.wrap}
                pretty={looks.pretty}
                details
                dedup={looks.dedup}
                marks={markedWords(stored)}
                onFilter={filter}
                actions={(l) => <Actions row={l as Row} onContext={() => setContext(l as Row)} />}
              />
            ) : (
              <div class="empty">{lines.loading || live ? 'Waiting for lines…' : 'No lines match in this time range.'}</div>
            )}
            {!live && shown.length > 0 && (
              <footer class="lg-foot">
                <span class="dim">
                  {rows.length.toLocaleString('en')} lines{lines.more ? ', more are older' : ''}
                </span>
                {lines.more && (
                  <button type="button" class="btn small" disabled={lines.loading} onClick={lines.older}>
                    Older
                  </button>
                )}
              </footer>
            )}
          </section>
        </div>
      )}
      {context && <Context row={context} onClose={() => setContext(null)} />}
    </div>
  );
}

/** Names that labels of the same thing have in metrics. */
const SERVICE = ['service_name', 'job', 'app', 'container', 'instance', 'host'];

function Actions({ row, onContext }: { row: Row; onContext: () => void }) {
  const trace = row.labels['trace_id'] ?? row.labels['traceID'] ?? row.labels['traceId'] ?? row.labels['traceid'];
  const by = SERVICE.find((k) => row.labels[k]);
  return (
    <>
      <button type="button" class="btn small" onClick={onContext}>
        Lines around it
      </button>
      <button type="button" class="btn small" onClick={() => setAbsolute(row.timeMs - 60_000, row.timeMs + 60_000)}>
        This minute
      </button>
      {by && (
        <button
          type="button"
          class="btn small"
          onClick={() => go(href('/explore', { from: String(row.timeMs - 900_000), to: String(row.timeMs + 900_000), panes: panesParam([`{${by === 'service_name' ? 'job' : by}=~${quote(`(.*/)?${row.labels[by]!.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')}`)}}`]) }))}
        >
          Metrics of {row.labels[by]}
        </button>
      )}
      {trace && doors.value.has('tempo') && /^[0-9a-f]{16,32}$/i.test(trace) && (
        <a class="btn small" data-link href={href(`/trace/${trace}`)}>
          Its trace
        </a>
      )}
    </>
  );
}
