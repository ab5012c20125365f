// The processes that use the most, as top shows them.

import { useRef, useState } from 'preact/hooks';
import { expandMacros, selector } from '../../api/expr';
import { scrapeMs } from '../../api/interval';
import { useLoad, useVisible } from '../../api/live';
import { prom, toNumber, type Labels } from '../../api/prom';
import { Card, exploreLink, Failure } from '../../chart/Panel';
import { format } from '../../format/units';
import { rateWindow } from '../../time/step';
import type { HostId, HostQueries } from './queries';

export interface ProcRow {
  key: string;
  pid: string;
  name: string;
  user: string;
  cpu: number | null;
  memory: number | null;
  read: number | null;
  written: number | null;
  threads: number | null;
}

type Column = 'pid' | 'name' | 'user' | 'cpu' | 'memory' | 'read' | 'written' | 'threads';
const FIGURES = ['cpu', 'memory', 'read', 'written', 'threads'] as const;

const COLUMNS: { id: Column; text: string; num: boolean; hide?: boolean; help: string }[] = [
  { id: 'name', text: 'Command', num: false, help: 'Name of the program' },
  { id: 'pid', text: 'PID', num: true, help: 'Process id' },
  { id: 'user', text: 'User', num: false, hide: true, help: 'Owner of the process' },
  { id: 'cpu', text: 'CPU', num: true, help: '100 % is one core' },
  { id: 'memory', text: 'Memory', num: true, help: 'Resident memory' },
  { id: 'read', text: 'Read', num: true, hide: true, help: 'Bytes read from storage a second' },
  { id: 'written', text: 'Written', num: true, hide: true, help: 'Bytes written to storage a second' },
  { id: 'threads', text: 'Threads', num: true, hide: true, help: 'Threads of the process' },
];

export function joinProcesses(parts: { figure: (typeof FIGURES)[number]; items: { labels: Labels; value: number }[] }[]): ProcRow[] {
  const rows = new Map<string, ProcRow>();
  for (const p of parts) {
    for (const { labels, value } of p.items) {
      const pid = labels['pid'] ?? '';
      const name = labels['comm'] ?? labels['name'] ?? '';
      const user = labels['user'] ?? '';
      const key = `${pid}|${name}|${user}`;
      let row = rows.get(key);
      if (!row) {
        row = { key, pid, name, user, cpu: null, memory: null, read: null, written: null, threads: null };
        rows.set(key, row);
      }
      row[p.figure] = value;
    }
  }
  return [...rows.values()];
}

export function sortProcesses(rows: ProcRow[], by: Column, desc: boolean): ProcRow[] {
  const sign = desc ? -1 : 1;
  return rows.slice().sort((a, b) => {
    if (by === 'name' || by === 'user') return sign * a[by].localeCompare(b[by]);
    if (by === 'pid') return sign * (Number(a.pid) - Number(b.pid));
    // Unknown goes last whichever way it is sorted.
    const x = a[by];
    const y = b[by];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return sign * (x - y) || (b.memory ?? 0) - (a.memory ?? 0);
  });
}

function Meter({ v, max, text, tone }: { v: number | null; max: number; text: string; tone: string }) {
  return (
    <td class="num meter">
      {v !== null && max > 0 && <i class={tone} style={{ width: `${Math.min(100, (v / max) * 100)}%` }} />}
      <span>{text}</span>
    </td>
  );
}

export function Processes({ q, host }: { q: HostQueries; host: HostId }) {
  const ref = useRef<HTMLDivElement>(null);
  const visible = useVisible(ref);
  const [sort, setSort] = useState<{ by: Column; desc: boolean }>({ by: 'cpu', desc: true });
  const [find, setFind] = useState('');
  const [all, setAll] = useState(false);
  const rateMs = rateWindow(scrapeMs.value, scrapeMs.value);
  const load = useLoad(
    async (signal, r) => {
      const at = Math.min(r.toMs, Date.now());
      const macros = { stepMs: scrapeMs.peek(), rateMs, rangeMs: r.toMs - r.fromMs };
      const exprs = { cpu: q.procCpu, memory: q.procMemory, read: q.procRead, written: q.procWritten, threads: q.procThreads };
      const parts = await Promise.all(
        FIGURES.map(async (figure) => {
          const a = await prom.query(expandMacros(exprs[figure], macros), at, signal);
          const items =
            a.data.resultType === 'vector'
              ? a.data.result.flatMap((i) => (i.value ? [{ labels: i.metric, value: toNumber(i.value[1]) }] : []))
              : [];
          return { figure, items };
        }),
      );
      return joinProcesses(parts);
    },
    [q.procCpu, rateMs],
    visible,
  );

  const rows = (load.value ?? []).filter((r) => find === '' || `${r.name} ${r.user} ${r.pid}`.toLowerCase().includes(find.toLowerCase()));
  const sorted = sortProcesses(rows, sort.by, sort.desc);
  const shown = all ? sorted : sorted.slice(0, 15);
  const max = (f: 'cpu' | 'memory') => Math.max(0, ...rows.map((r) => r[f] ?? 0));
  const maxCpu = Math.max(max('cpu'), 0.25);
  const maxMem = max('memory');

  return (
    <Card
      title="Top processes"
      help="The processes that use the most CPU or memory. 100 % CPU is one core."
      class="w12"
      actions={
        (load.value?.length ?? 0) > 0 && (
          <input type="search" class="small-in" placeholder="Filter" aria-label="Filter processes" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        )
      }
    >
      <div ref={ref} style={{ minHeight: '120px' }}>
        {load.error && <Failure error={load.error} />}
        {rows.length > 0 && (
          <div class="table-scroll">
            <table class="table procs">
              <thead>
                <tr>
                  {COLUMNS.map((c) => (
                    <th
                      key={c.id}
                      class={`${c.num ? 'num' : ''} ${c.hide ? 'hide-s' : ''}`}
                      title={c.help}
                      aria-sort={sort.by === c.id ? (sort.desc ? 'descending' : 'ascending') : undefined}
                    >
                      <button type="button" onClick={() => setSort({ by: c.id, desc: sort.by === c.id ? !sort.desc : c.num && c.id !== 'pid' })}>
                        {c.text}
                        {sort.by === c.id ? (sort.desc ? ' ↓' : ' ↑') : ''}
                      </button>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {shown.map((r) => (
                  <tr key={r.key}>
                    <td>
                      <a
                        class="proc-name mono"
                        data-link
                        title="See this process over time"
                        href={exploreLink([
                          `rate(${selector('pharos_process_cpu_seconds_total', [['instance', '=', host.instance], ['comm', '=', r.name], ['pid', '=', r.pid]])}[$__rate_interval])`,
                        ])}
                      >
                        {r.name}
                      </a>
                    </td>
                    <td class="num dim">{r.pid}</td>
                    <td class="dim hide-s">{r.user}</td>
                    <Meter v={r.cpu} max={maxCpu} text={r.cpu === null ? '–' : format(r.cpu * 100, 'percent')} tone="m-cpu" />
                    <Meter v={r.memory} max={maxMem} text={format(r.memory, 'bytes')} tone="m-mem" />
                    <td class="num hide-s">{r.read ? format(r.read, 'binBps') : <span class="dim">{r.read === null ? '–' : '0'}</span>}</td>
                    <td class="num hide-s">{r.written ? format(r.written, 'binBps') : <span class="dim">{r.written === null ? '–' : '0'}</span>}</td>
                    <td class="num hide-s">{format(r.threads)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {rows.length > shown.length || all ? (
          <p class="note">
            <button type="button" class="link" onClick={() => setAll(!all)}>
              {all ? 'Show fewer' : `Show all ${rows.length}`}
            </button>
          </p>
        ) : null}
        {rows.length === 0 &&
          !load.error &&
          (load.value === undefined ? (
            <div class="skeleton" style={{ height: '110px' }} />
          ) : find !== '' ? (
            <div class="empty">No process matches “{find}”.</div>
          ) : (
            <div class="empty">
              No per-process figures for {host.instance} at this time. Pharos collects them on the hosts it runs on; node_exporter does not send any.
            </div>
          ))}
      </div>
    </Card>
  );
}
