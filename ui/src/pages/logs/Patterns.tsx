// What the lines have in common: patterns that the server finds in them, with counts over time; a click keeps the lines
// of one, or leaves them out.

import { useLoad } from '../../api/live';
import { lokiPatterns, type LogPattern } from '../../dashboard/query/loki';
import { Failure } from '../../chart/Panel';
import { Spark } from '../../chart/Spark';
import { Icon } from '../../shell/icons';
import { niceStep } from '../../time/step';

/** Points of the small drawings. */
const POINTS = 40;

export interface PatternRow {
  pattern: string;
  /** The worst one comes first. */
  levels: string[];
  values: number[];
  total: number;
}

const WORST = ['critical', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];
const rank = (l: string): number => (WORST.indexOf(l) < 0 ? WORST.length : WORST.indexOf(l));

/** The server tells a pattern once for each level of its lines; a filter can only have all of them. */
export function patternRows(list: LogPattern[], first: number, count: number, stepMs: number): PatternRow[] {
  const rows = new Map<string, PatternRow>();
  for (const p of list) {
    let row = rows.get(p.pattern);
    if (!row) rows.set(p.pattern, (row = { pattern: p.pattern, levels: [], values: new Array<number>(count).fill(0), total: 0 }));
    if (p.level && !row.levels.includes(p.level)) row.levels.push(p.level);
    for (const [t, n] of p.samples) {
      row.total += n;
      const i = Math.floor((t * 1000) / stepMs) - first;
      if (i >= 0 && i < count) row.values[i]! += n;
    }
  }
  for (const row of rows.values()) row.levels.sort((a, b) => rank(a) - rank(b));
  return [...rows.values()].sort((a, b) => b.total - a.total);
}

export function Patterns({ query, height, onPick }: { query: string; height: number; onPick: (pattern: string, out: boolean) => void }) {
  const load = useLoad(
    async (signal, r) => {
      const stepMs = Math.max(1000, niceStep((r.toMs - r.fromMs) / POINTS));
      const first = Math.floor(r.fromMs / stepMs);
      const n = Math.floor(r.toMs / stepMs) - first + 1;
      return patternRows(await lokiPatterns(query, r.fromMs, r.toMs, stepMs, signal), first, n, stepMs);
    },
    [query],
  );
  const list = load.value ?? [];
  const all = Math.max(1, list.reduce((n, p) => n + p.total, 0));
  if (load.error && !load.value) return <Failure error={load.error} />;
  if (!load.value) return <div class="skeleton" style={{ height: '200px' }} />;
  if (list.length === 0) return <div class="empty">The lines of this time range have nothing in common.</div>;
  return (
    <div class="table-scroll" style={{ maxHeight: `${height}px` }}>
      <table class="table lg-patterns">
        <thead>
          <tr>
            <th />
            <th class="num">Lines</th>
            <th class="hide-s">When</th>
            <th>Pattern</th>
          </tr>
        </thead>
        <tbody>
          {list.map((p) => (
            <tr key={p.pattern}>
              <td class="log-filters">
                <button type="button" class="icon-btn" title="Only these lines" aria-label={`Only lines like ${p.pattern}`} onClick={() => onPick(p.pattern, false)}>
                  <Icon name="plus" size={11} />
                </button>
                <button type="button" class="icon-btn" title="Not these lines" aria-label={`No lines like ${p.pattern}`} onClick={() => onPick(p.pattern, true)}>
                  <Icon name="close" size={11} />
                </button>
              </td>
              <td class="num">
                {p.total.toLocaleString('en')} <span class="dim">{Math.round((p.total / all) * 100)}%</span>
              </td>
              <td class="hide-s">
                <span class="spark-cell">
                  <Spark values={p.values} color={rank(p.levels[0] ?? '') < 3 ? 'red' : p.levels[0] === 'warn' ? 'amber' : 'green'} min={0} width={110} height={22} />
                </span>
              </td>
              <td class="mono">
                {p.pattern}{' '}
                {p.levels.map((l) => (
                  <span class="tag" key={l}>
                    {l}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
