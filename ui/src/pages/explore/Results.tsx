// What the queries gave: a graph, a table, or the server's own JSON.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { exemplarPoints } from '../../api/exemplars';
import { expandMacros, seriesText } from '../../api/expr';
import { scrapeMs } from '../../api/interval';
import { useLoad, useRange, type LiveRanges } from '../../api/live';
import { prom, toNumber, type Answer, type QueryData } from '../../api/prom';
import { Chart, type ChartSeries } from '../../chart/Chart';
import { Legend } from '../../chart/Legend';
import { Failure } from '../../chart/Panel';
import { format, type Unit } from '../../format/units';
import { Icon } from '../../shell/icons';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { rateWindow } from '../../time/step';
import { download, toCsv } from './csv';
import type { Query } from './panes';

/** Series that are drawn before the reader asks for more. */
export const DRAWN = 100;
/** Rows of a table before the reader asks for more. */
const ROWS = 500;

export function Notices({ warnings, infos }: { warnings: string[]; infos: string[] }) {
  const uniq = (l: string[]) => [...new Set(l)];
  return (
    <>
      {uniq(warnings).map((w) => (
        <div key={w} class="notice warn" role="status">
          <Icon name="warn" />
          <span>{w}</span>
        </div>
      ))}
      {uniq(infos).map((w) => (
        <div key={w} class="notice" role="status">
          <Icon name="info" />
          <span>{w}</span>
        </div>
      ))}
    </>
  );
}

export function GraphView(p: { queries: Query[]; live: LiveRanges; unit: Unit; stack: boolean }) {
  const r = useRange();
  const hover = useSignal<number | null>(null);
  const [off, setOff] = useState<Set<string>>(new Set());
  const [focus, setFocus] = useState<string | null>(null);
  const [more, setMore] = useState(false);
  const several = p.queries.length > 1;

  const all = useMemo(() => {
    const out: ChartSeries[] = [];
    p.queries.forEach((q, qi) => {
      const res = p.live.results[qi];
      if (!res || !p.live.grid || res.grid.startMs !== p.live.grid.startMs || res.grid.count !== p.live.grid.count) return;
      for (const s of res.series) {
        const text = seriesText(s.labels);
        const label = text === '{}' ? q.expr : text;
        out.push({ key: `${q.refId}|${s.key}`, label: several ? `${q.refId}: ${label}` : label, color: out.length, values: s.values });
      }
    });
    return out;
  }, [p.live.results, p.live.grid, several]);
  useEffect(() => setOff(new Set()), [p.queries.map((q) => q.expr).join('\n')]);

  const points = useMemo(() => exemplarPoints(p.live.results, p.unit), [p.live.results, p.unit]);
  const series = (more ? all : all.slice(0, DRAWN)).map((s) => (off.has(s.key) ? { ...s, hidden: true } : s));
  const histograms = p.live.results.reduce((n, x) => n + (x?.histograms ?? 0), 0);
  const toggle = (key: string, only: boolean) =>
    setOff((prev) => {
      const shown = series.filter((s) => !prev.has(s.key));
      if (only) {
        if (shown.length === 1 && shown[0]!.key === key) return new Set();
        return new Set(series.filter((s) => s.key !== key).map((s) => s.key));
      }
      const next = new Set(prev);
      if (!next.delete(key)) next.add(key);
      return next.size === series.length ? new Set() : next;
    });

  return (
    <>
      {histograms > 0 && (
        <Notices
          warnings={[]}
          infos={[`${histograms} series hold native histograms, which a line cannot show. Use histogram_quantile(0.95, …), histogram_avg(…) or the table.`]}
        />
      )}
      {all.length > DRAWN && (
        <div class="notice" role="status">
          <Icon name="info" />
          <span>
            {more ? `Drawing all ${all.length} series.` : `Drawing ${DRAWN} of ${all.length} series.`} Aggregate with sum by (…) or pick with topk(10, …) to see more clearly.
          </span>
          <button type="button" class="link" onClick={() => setMore(!more)}>
            {more ? `Draw ${DRAWN}` : 'Draw all'}
          </button>
        </div>
      )}
      <div class="panel-body" data-panel="Explore" data-points={p.live.grid?.count}>
        {series.length > 0 && p.live.grid ? (
          <Chart
            label="Query result"
            grid={p.live.grid}
            fromMs={r.fromMs}
            toMs={r.toMs}
            series={series}
            unit={p.unit}
            height={380}
            stack={p.stack}
            focus={focus}
            points={points}
            onHover={(i) => {
              hover.value = i;
            }}
          />
        ) : p.live.first && p.live.loading ? (
          <div class="skeleton" style={{ height: '380px' }} />
        ) : (
          <div class="empty" style={{ minHeight: '200px' }}>
            {p.live.errors.some(Boolean) ? 'The query failed; see above.' : 'The queries gave no series in this time range.'}
          </div>
        )}
      </div>
      {series.length > 0 && <Legend series={series} unit={p.unit} mode="table" hover={hover} onToggle={toggle} onFocus={setFocus} />}
    </>
  );
}

export function graphCsv(queries: Query[], live: LiveRanges): string {
  const grid = live.grid!;
  const cols: { head: string; values: (number | null)[] }[] = [];
  queries.forEach((q, i) => {
    for (const s of live.results[i]?.series ?? []) {
      cols.push({ head: queries.length > 1 ? `${q.refId}: ${seriesText(s.labels)}` : seriesText(s.labels), values: s.values });
    }
  });
  const rows: (string | number | null)[][] = [['time', ...cols.map((c) => c.head)]];
  for (let i = 0; i < grid.count; i++) {
    rows.push([new Date(grid.startMs + i * grid.stepMs).toISOString(), ...cols.map((c) => c.values[i] ?? null)]);
  }
  return toCsv(rows);
}

/** Instant answers of all queries at the end of the range. */
export function useInstant(queries: Query[], stepMs: number, enabled: boolean) {
  const exprs = queries.map((q) => q.expr);
  return useLoad(
    async (signal, r) => {
      const at = Math.min(r.toMs, Date.now());
      const macros = { stepMs, rateMs: rateWindow(stepMs, scrapeMs.peek()), rangeMs: r.toMs - r.fromMs };
      const rs = await Promise.allSettled(exprs.map((e) => prom.query(expandMacros(e, macros), at, signal, 10_000)));
      if (signal.aborted) throw new DOMException('aborted', 'AbortError');
      return { atMs: at, answers: rs.map((x) => (x.status === 'fulfilled' ? x.value : (x.reason as Error))) };
    },
    [exprs.join('\n'), stepMs],
    enabled,
  );
}

interface Row {
  labels: Record<string, string>;
  value: string;
  time: number;
}

function rowsOf(d: QueryData): Row[] {
  switch (d.resultType) {
    case 'vector':
      return d.result.map((i) =>
        i.value
          ? { labels: i.metric, value: i.value[1], time: i.value[0] }
          : { labels: i.metric, value: i.histogram ? `count ${i.histogram[1].count}, sum ${i.histogram[1].sum}` : '', time: i.histogram?.[0] ?? 0 },
      );
    case 'matrix':
      return d.result.flatMap((i) => (i.values ?? []).map(([time, value]) => ({ labels: i.metric, value, time })));
    default:
      return [{ labels: {}, value: d.result[1], time: d.result[0] }];
  }
}

function tableOf(a: Answer<QueryData>): { columns: string[]; rows: Row[]; matrix: boolean } {
  const rows = rowsOf(a.data);
  const names = new Set<string>();
  for (const r of rows) for (const k of Object.keys(r.labels)) names.add(k);
  const columns = [...names].sort((x, y) => (x === '__name__' ? -1 : y === '__name__' ? 1 : x.localeCompare(y)));
  return { columns, rows, matrix: a.data.resultType === 'matrix' };
}

function OneTable({ q, answer, unit }: { q: Query; answer: Answer<QueryData> | Error; unit: Unit }) {
  const [sort, setSort] = useState<{ by: string; desc: boolean } | null>(null);
  const [more, setMore] = useState(false);
  if (answer instanceof Error) return <Failure error={answer} />;
  const t = tableOf(answer);
  const rows = t.rows.slice();
  if (sort) {
    rows.sort((a, b) => {
      const d =
        sort.by === '' ? toNumber(a.value) - toNumber(b.value) : (a.labels[sort.by] ?? '').localeCompare(b.labels[sort.by] ?? '', 'en', { numeric: true });
      return sort.desc ? -d : d;
    });
  }
  const shown = more ? rows : rows.slice(0, ROWS);
  const head = (by: string, text: string, num = false) => (
    <th key={by} class={num ? 'num' : ''} aria-sort={sort?.by === by ? (sort.desc ? 'descending' : 'ascending') : undefined}>
      <button type="button" onClick={() => setSort({ by, desc: sort?.by === by ? !sort.desc : num })}>
        {text}
        {sort?.by === by ? (sort.desc ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  return (
    <div class="res-table">
      <div class="res-cap">
        <span class="ref">{q.refId}</span>
        <code class="cut">{q.expr}</code>
        <span class="dim">
          {rows.length} {rows.length === 1 ? 'row' : 'rows'}
        </span>
        <span class="grow" />
        {rows.length > 0 && (
          <button
            type="button"
            class="btn small"
            onClick={() =>
              download(
                `pharos-${q.refId}.csv`,
                toCsv([
                  [...t.columns, 'time', 'value'],
                  ...rows.map((r) => [...t.columns.map((c) => r.labels[c] ?? ''), new Date(r.time * 1000).toISOString(), r.value]),
                ]),
              )
            }
          >
            <Icon name="download" /> CSV
          </button>
        )}
      </div>
      <Notices warnings={answer.warnings} infos={answer.infos} />
      {rows.length === 0 ? (
        <div class="empty">No series at this moment.</div>
      ) : (
        <div class="table-scroll" style={{ maxHeight: '62vh' }}>
          <table class="table res">
            <thead>
              <tr>
                {t.columns.map((c) => head(c, c === '__name__' ? 'metric' : c))}
                {t.matrix && <th>time</th>}
                {head('', 'Value', true)}
              </tr>
            </thead>
            <tbody>
              {shown.map((r, i) => (
                <tr key={i}>
                  {t.columns.map((c) => (
                    <td key={c} class="mono">
                      {r.labels[c] ?? ''}
                    </td>
                  ))}
                  {t.matrix && <td class="mono dim">{formatInstant(r.time * 1000, zone.value)}</td>}
                  <td class="num mono" title={unit === 'none' ? undefined : format(toNumber(r.value), unit)}>
                    {r.value}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {rows.length > ROWS && (
        <p class="note">
          Showing {shown.length} of {rows.length} rows.{' '}
          <button type="button" class="link" onClick={() => setMore(!more)}>
            {more ? 'Show fewer' : 'Show all'}
          </button>
        </p>
      )}
    </div>
  );
}

export function TableView(p: { queries: Query[]; unit: Unit; instant: ReturnType<typeof useInstant> }) {
  const v = p.instant.value;
  if (p.instant.error && !v) return <Failure error={p.instant.error} />;
  if (!v || v.answers.length !== p.queries.length) return <div class="skeleton" style={{ height: '200px' }} />;
  return (
    <>
      <p class="note">At {formatInstant(v.atMs, zone.value)}, the end of the time range.</p>
      {p.queries.map((q, i) => (
        <OneTable key={q.refId} q={q} answer={v.answers[i]!} unit={p.unit} />
      ))}
    </>
  );
}

const JSON_MAX = 200_000;

export function JsonView(p: { queries: Query[]; instant: ReturnType<typeof useInstant> }) {
  const v = p.instant.value;
  const box = useRef<HTMLPreElement>(null);
  if (p.instant.error && !v) return <Failure error={p.instant.error} />;
  if (!v || v.answers.length !== p.queries.length) return <div class="skeleton" style={{ height: '200px' }} />;
  return (
    <>
      {p.queries.map((q, i) => {
        const a = v.answers[i]!;
        if (a instanceof Error) return <Failure key={q.refId} error={a} />;
        const text = JSON.stringify(a.data, null, 2);
        return (
          <div class="res-table" key={q.refId}>
            <div class="res-cap">
              <span class="ref">{q.refId}</span>
              <code class="cut">{q.expr}</code>
              <span class="grow" />
              <button type="button" class="btn small" onClick={() => download(`pharos-${q.refId}.json`, text, 'application/json')}>
                <Icon name="download" /> JSON
              </button>
            </div>
            <pre class="json" ref={box} tabIndex={0}>
              {text.slice(0, JSON_MAX)}
            </pre>
            {text.length > JSON_MAX && <p class="note">Cut after {format(JSON_MAX, 'decbytes')}; the download has all {format(text.length, 'decbytes')}.</p>}
          </div>
        );
      })}
    </>
  );
}
