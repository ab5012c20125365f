// Logs in a pane of the explorer: a query, how many lines of each level there were when, the lines, their fields.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { quote } from '../../api/expr';
import { useRange } from '../../api/live';
import { Session } from '../../dashboard/model/session';
import { lokiLabels } from '../../dashboard/query/loki';
import { PanelFrame } from '../../dashboard/view/PanelFrame';
import { QueryEditor } from '../../editor/QueryEditor';
import { LogList } from '../../logs/LogList';
import { Icon } from '../../shell/icons';
import { current, href } from '../../shell/router';
import { safeGet, safeSet } from '../../shell/theme';
import { LogBuilder } from '../explore/builder/LogBuilder';
import { download, toCsv } from '../explore/csv';
import type { Query } from '../explore/panes';
import { AddButton, markOf, QueryRow, RunButton, useDraft } from '../explore/queries';
import { Notices } from '../explore/Results';
import { PaneHead, type PaneProps } from '../explore/PaneHead';
import { Actions } from './Actions';
import { Browser } from './Browser';
import { Context } from './Context';
import { Fields } from './Fields';
import { MOST, toRow, useLines, type Row } from './lines';
import { numbersPanel, volumePanel } from './panels';
import { Patterns } from './Patterns';
import { fieldCounts, withDetected, filterLabel, filterLine, filterParsed, filterPattern, isLogQuery, markedWords } from './query';
import { useDetected } from './range_counts';
import { startTails, type Tail } from './tail';
import '../../dashboard/view/dashboard.css';
import '../../dashboard/view/panels.css';
import './logs-page.css';

const LOOKS = 'pharos.logs';
/** Lines whose fields are counted. */
const COUNTED = 5000;
/** Of the row that names the columns. */
const COLUMNS_HEAD = 32;

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

interface Live {
  rows: Row[];
  state: string;
  text: string;
  paused: boolean;
}

export function LogPane(p: PaneProps) {
  const { pane } = p;
  const draft = useDraft(p);
  const { active, queries } = draft;
  const logs = active.filter((q) => isLogQuery(q.expr));
  const numbers = active.filter((q) => !isLogQuery(q.expr));
  /** What clicks in the lines go by: the first query of lines. */
  const stored = (logs[0] ?? active[0])?.expr ?? '';
  const [word, setWord] = useState('');
  const [browse, setBrowse] = useState(false);
  const [looks, setLooks] = useState(savedLooks);
  const [live, setLive] = useState<Live | null>(null);
  const [context, setContext] = useState<Row | null>(null);
  const [patterns, setPatterns] = useState(false);
  const [side, setSide] = useState(() => innerWidth > 1000 && !p.split);
  const tail = useRef<Tail | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(520);
  const range = useRange();
  const lines = useLines(logs);
  const session = useMemo(() => {
    const s = new Session({ title: 'Logs', panels: [], schemaVersion: 42, graphTooltip: 1 } as never, null, new URLSearchParams());
    void s.vars.start();
    return s;
  }, []);
  useEffect(() => () => session.stop(), [session]);
  const latest = useRef(stored);
  latest.current = stored;
  // Nothing asked yet: begin with all lines of the first service there is.
  useEffect(() => {
    if (stored !== '') return;
    const now = Date.now();
    lokiLabels(now - 3_600_000, now).then(
      (l) => {
        const name = ['service_name', 'job', 'app', 'container', 'unit', 'host'].find((x) => l.includes(x)) ?? l.find((x) => !x.startsWith('__'));
        if (name && latest.current === '' && list.current) p.change({ queries: [{ refId: 'A', expr: `{${name}=~".+"}`, hide: false }] });
      },
      () => undefined,
    );
  }, []);
  useEffect(() => {
    const fit = () => list.current && setHeight(Math.max(260, innerHeight - list.current.getBoundingClientRect().top - scrollY - 52));
    fit();
    addEventListener('resize', fit);
    return () => removeEventListener('resize', fit);
  }, [stored === '', lines.rows.length > 0, live !== null, pane.view.builder, p.split, queries.length]);

  const run = (list: Query[]) => {
    stop();
    draft.run(list);
  };
  /** Every query of lines changed in the same way. */
  const narrow = (f: (expr: string) => string) => run(queries.map((q) => (isLogQuery(q.expr) && !q.hide ? { ...q, expr: f(q.expr) } : q)));
  const stop = () => {
    tail.current?.stop();
    tail.current = null;
    setLive(null);
  };
  useEffect(() => () => tail.current?.stop(), []);
  const goLive = () => {
    if (tail.current) return stop();
    setLive({ rows: [], state: 'waiting', text: 'Connecting…', paused: false });
    tail.current = startTails(
      logs,
      (rows) => setLive((l) => (l && !l.paused ? { ...l, rows: rows.map(toRow) } : l)),
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
  const counted = useMemo(() => rows.slice(0, COUNTED), [rows]);
  const detected = useDetected(logs, side && !live);
  const counts = useMemo(() => (side ? withDetected(fieldCounts(counted), detected) : []), [counted, side, detected]);
  const isLog = logs.length > 0;
  const columns = pane.view.columns ?? [];
  const column = (name: string) => {
    const next = columns.includes(name) ? columns.filter((c) => c !== name) : [...columns, name];
    const { columns: _, ...rest } = pane.view;
    p.change({ view: next.length ? { ...rest, columns: next } : rest });
  };
  const filter = (name: string, value: string, out: boolean) => {
    const known = counts.find((c) => c.name === name);
    const inStream = known ? known.kind === 'label' : rows.some((r) => r.stream[name] !== undefined);
    const inFields = known ? known.kind === 'field' : rows.some((r) => r.fields[name] !== undefined);
    narrow((expr) => (inStream || inFields ? filterLabel(expr, name, value, out, inStream) : filterParsed(expr, name, value, out, rows)));
  };
  const csv = () => download('logs.csv', toCsv([['time', 'level', 'line', 'labels'], ...rows.map((r) => [new Date(r.timeMs).toISOString(), r.level, r.line, JSON.stringify(r.labels)])]));
  const json = () => download('logs.json', JSON.stringify(rows.map((r) => ({ timestamp: r.ns, level: r.level, line: r.line, labels: r.stream, fields: r.fields })), null, 1), 'application/json');
  const toggle = (on: boolean, name: string, set: () => void) => (
    <button type="button" class="btn small" aria-pressed={on} onClick={set}>
      {name}
    </button>
  );
  return (
    <div class="lg">
      <section class="card lg-query">
        <PaneHead {...p} draft={queries} onPick={draft.put} stepMs={Math.max(1000, Math.round((range.toMs - range.fromMs) / 100))} />
        {queries.map((q) => {
          const { mark, text } = markOf(q, pane.queries.find((x) => x.refId === q.refId)?.expr, lines.errors.find((e) => e.refId === q.refId)?.error);
          const runOne = (expr: string) => (stop(), draft.runOne(q.refId, expr));
          return (
            <QueryRow key={q.refId} q={q} draft={draft} error={text}>
              {pane.view.builder ? (
                <LogBuilder
                  expr={q.expr}
                  onChange={(expr) => draft.type(q.refId, expr)}
                  onRun={runOne}
                  onCode={() => {
                    const { builder: _, ...rest } = pane.view;
                    p.change({ view: rest });
                  }}
                />
              ) : (
                <QueryEditor text={q.expr} label={`Query ${q.refId}`} lang="logql" onChange={(expr) => draft.type(q.refId, expr)} onRun={runOne} onFocus={() => draft.focus(q.refId)} autofocus={false} mark={mark} />
              )}
            </QueryRow>
          );
        })}
        <div class="q-bar">
          <RunButton draft={draft} />
          <AddButton draft={draft} />
          <span class="anchor">
            <button type="button" class="btn" aria-expanded={browse} onClick={() => setBrowse(!browse)}>
              <Icon name="book" /> Labels
            </button>
            {browse && (
              <Browser
                onClose={() => setBrowse(false)}
                onPick={(l, v) => {
                  setBrowse(false);
                  if (isLog) narrow((expr) => filterLabel(expr, l, v, false, true));
                  else draft.put(`{${l}=${quote(v)}}`);
                }}
              />
            )}
          </span>
        </div>
        {isLog && (
          <form
            class="lg-row"
            onSubmit={(e) => {
              e.preventDefault();
              if (word) narrow((expr) => filterLine(expr, word, false));
              setWord('');
            }}
          >
            <input type="search" placeholder="Lines that contain…" aria-label="Lines that contain" value={word} onInput={(e) => setWord(e.currentTarget.value)} />
            <button type="button" class={live ? 'btn primary' : 'btn'} aria-pressed={live !== null} onClick={goLive}>
              <Icon name="play" size={12} /> {live ? 'Stop' : 'Live'}
            </button>
            {live && (
              <>
                <span class={live.state === 'open' ? 'tag good' : 'tag warn'}>{live.text}</span>
                {toggle(live.paused, live.paused ? 'Go on' : 'Pause', () => {
                  const on = !live.paused;
                  setLive({ ...live, paused: on, ...(on ? {} : { rows: (tail.current?.rows() ?? []).map(toRow) }) });
                })}
                <button
                  type="button"
                  class="btn small"
                  onClick={() => {
                    tail.current?.clear();
                    setLive({ ...live, rows: [] });
                  }}
                >
                  Clear
                </button>
              </>
            )}
            <span class="grow" />
            {!live && toggle(patterns, 'Patterns', () => setPatterns(!patterns))}
            {toggle(side, 'Fields', () => setSide(!side))}
            {toggle(looks.time, 'Time', () => look({ time: !looks.time }))}
            {toggle(looks.labels, 'Labels', () => look({ labels: !looks.labels }))}
            {toggle(looks.wrap, 'Wrap', () => look({ wrap: !looks.wrap }))}
            {toggle(looks.pretty, 'Pretty', () => look({ pretty: !looks.pretty }))}
            {toggle(looks.oldest, 'Oldest first', () => look({ oldest: !looks.oldest }))}
            <select aria-label="Duplicates" value={looks.dedup} onChange={(e) => look({ dedup: e.currentTarget.value })}>
              <option value="none">All lines</option>
              <option value="exact">No repeats</option>
              <option value="numbers">No repeats but for numbers</option>
              <option value="signature">No repeats of a shape</option>
            </select>
            <button type="button" class="btn small" title="Download the lines as CSV" disabled={rows.length === 0} onClick={csv}>
              <Icon name="download" size={12} /> CSV
            </button>
            <button type="button" class="btn small" title="Download the lines as JSON" disabled={rows.length === 0} onClick={json}>
              <Icon name="download" size={12} /> JSON
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
      <Notices warnings={lines.warnings} infos={[]} />
      {numbers.length > 0 && (
        <div class="lg-numbers">
          <PanelFrame session={session} placed={{ key: 'n', panel: numbersPanel(numbers), pos: { x: 0, y: 0, w: 24, h: 10 }, scoped: {}, copy: true }} annotations={[]} alone />
        </div>
      )}
      {isLog && !live && (
        <div class="lg-volume">
          <PanelFrame session={session} placed={{ key: 'v', panel: volumePanel(logs), pos: { x: 0, y: 0, w: 24, h: 5 }, scoped: {}, copy: true }} annotations={[]} alone />
        </div>
      )}
      <div ref={list}>
        {isLog && (
          <div class={side ? 'lg-main with-side' : 'lg-main'}>
            {side && <Fields counts={counts} queries={live ? [] : logs} rows={counted} height={height} columns={columns} onFilter={filter} onColumn={column} />}
            <section class="card lg-lines" aria-busy={lines.loading}>
              {patterns && !live && (
                <Patterns
                  query={stored}
                  height={height}
                  onPick={(t, out) => {
                    if (!out) setPatterns(false);
                    narrow((expr) => filterPattern(expr, t, out, rows.some((r) => r.line.trimStart().startsWith('{'))));
                  }}
                />
              )}
              {columns.length > 0 && shown.length > 0 && !(patterns && !live) && (
                <header class="lg-cols">
                  {columns.map((c) => (
                    <button type="button" class="chip" key={c} title={`Leave out the column ${c}`} aria-label={`Leave out the column ${c}`} onClick={() => column(c)}>
                      {c} ×
                    </button>
                  ))}
                </header>
              )}
              {patterns && !live ? null : shown.length > 0 ? (
                <LogList
                  lines={shown}
                  height={columns.length ? height - COLUMNS_HEAD : height}
                  showTime={looks.time}
                  showLabels={looks.labels}
                  wrap={looks.wrap}
                  pretty={looks.pretty}
                  details
                  dedup={looks.dedup}
                  marks={logs.flatMap((q) => markedWords(q.expr))}
                  onFilter={filter}
                  columns={columns}
                  onColumn={column}
                  focus={current.value.params.get('line') ?? ''}
                  onEnd={() => lines.more && !live && !looks.oldest && lines.older()}
                  actions={(l) => <Actions row={l as Row} query={logs.find((q) => q.refId === (l as Row).ref)?.expr ?? stored} onContext={() => setContext(l as Row)} open={p.open} />}
                />
              ) : (
                <div class="empty">{lines.loading || live ? 'Waiting for lines…' : 'No lines match in this time range.'}</div>
              )}
              {!live && !patterns && shown.length > 0 && (
                <footer class="lg-foot">
                  <span class="dim">
                    {rows.length.toLocaleString('en')} lines{lines.more ? ', more are older' : rows.length >= MOST ? ', the most that are kept here; narrow the time range for older ones' : ''}
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
      </div>
      {context && <Context row={context} onClose={() => setContext(null)} />}
    </div>
  );
}
