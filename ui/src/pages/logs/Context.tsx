// What the same stream said just before and after a line.

import { useEffect, useState } from 'preact/hooks';
import { selector, type Matcher } from '../../api/expr';
import { loki } from '../../dashboard/query/loki';
import { logRows } from '../../dashboard/query/logs';
import { LogList } from '../../logs/LogList';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { toRow, type Row } from './lines';

const WINDOW_MS = 2 * 3_600_000;

export function Context({ row, onClose }: { row: Row; onClose: () => void }) {
  const [count, setCount] = useState(25);
  const [rows, setRows] = useState<Row[] | null>(null);
  const [error, setError] = useState('');
  useEffect(() => {
    const abort = new AbortController();
    const query = selector('', Object.entries(row.stream).map(([k, v]): Matcher => [k, '=', v]));
    const ask = (from: number, to: number, direction: string) =>
      loki.queryRange(query, from, to, { limit: count, direction }, abort.signal).then((d) => (d.resultType === 'streams' ? logRows(d.result).map(toRow) : []));
    Promise.all([ask(row.timeMs, row.timeMs + WINDOW_MS, 'forward'), ask(row.timeMs - WINDOW_MS, row.timeMs, 'backward')]).then(
      ([after, before]) => {
        const seen = new Set<string>();
        setRows([...after, row, ...before].filter((r) => (seen.has(r.ns + r.line) ? false : (seen.add(r.ns + r.line), true))).sort((a, b) => (a.ns < b.ns ? 1 : a.ns > b.ns ? -1 : 0)));
      },
      (e: Error) => !abort.signal.aborted && setError(e.message),
    );
    return () => abort.abort();
  }, [count]);
  return (
    <Dialog onClose={onClose} label="Lines around" class="inspector">
      <header class="dialog-head">
        <h2 class="cut">{Object.entries(row.stream).map(([k, v]) => `${k}=${v}`).join(', ')}</h2>
        <button type="button" class="icon-btn" onClick={onClose} aria-label="Close" data-autofocus>
          <Icon name="close" />
        </button>
      </header>
      <div class="inspect-body">
        {error && <div class="failure">{error}</div>}
        {rows && <LogList lines={rows} height={Math.min(560, innerHeight * 0.6)} showTime showLabels={false} wrap={false} pretty={false} details={false} dedup="none" marks={[row.line.slice(0, 200)]} />}
        <p>
          <button type="button" class="btn small" disabled={count >= 400} onClick={() => setCount(count * 2)}>
            More
          </button>
        </p>
      </div>
    </Dialog>
  );
}
