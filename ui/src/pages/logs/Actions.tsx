// What leads on from one line: its surroundings, its trace, the metrics and traces of its service, a link to it.

import { doors } from '../../api/doors';
import { Icon } from '../../shell/icons';
import { href } from '../../shell/router';
import { copyText } from '../../shell/toast';
import { setInstants, useTime } from '../../time/scope';
import type { PaneProps } from '../explore/PaneHead';
import { paneOf, panesText } from '../explore/panes';
import { serviceMetrics, serviceTraces } from '../explore/signals';
import type { Row } from './lines';

/** Names that the service of a line has among its labels. */
const SERVICE = ['service_name', 'job', 'app', 'container', 'instance', 'host'];
const TRACE = ['trace_id', 'traceID', 'traceId', 'traceid', 'TraceId'];
/** A longer range is narrowed to the surroundings of the line. */
const LONG_MS = 3_600_000;

/** The trace id that a line has as a field, or in its text. */
export function traceOf(row: Row): string {
  for (const k of TRACE) if (/^[0-9a-f]{16,32}$/i.test(row.labels[k] ?? '')) return row.labels[k]!.toLowerCase();
  const m = /trace_?id["']?\s*[=:]\s*["']?([0-9a-f]{32}|[0-9a-f]{16})\b/i.exec(row.line);
  return m ? m[1]!.toLowerCase() : '';
}

/** An address that shows the line, whatever comes after it. */
function lineLink(row: Row, query: string): string {
  const u = new URL(href('/logs', { from: String(row.timeMs - 300_000), to: String(row.timeMs + 1), panes: panesText([paneOf('logs', [query])]), line: row.ns }), location.href);
  return u.href;
}

export function Actions({ row, query, onContext, open }: { row: Row; query: string; onContext: () => void; open: PaneProps['open'] }) {
  const trace = traceOf(row);
  const by = SERVICE.find((k) => row.labels[k]);
  const service = by ? row.labels[by]!.slice(row.labels[by]!.lastIndexOf('/') + 1) : '';
  const time = useTime();
  const near = () => {
    const r = time.range.peek();
    if (r.toMs - r.fromMs > LONG_MS) setInstants(time, row.timeMs - 900_000, row.timeMs + 900_000);
  };
  const metrics = async () => {
    near();
    const r = time.range.peek();
    open('metrics', await serviceMetrics(service, r.fromMs, r.toMs), true);
  };
  return (
    <>
      <button type="button" class="btn small" onClick={onContext}>
        Lines around it
      </button>
      <button type="button" class="btn small" onClick={() => setInstants(time, row.timeMs - 60_000, row.timeMs + 60_000)}>
        This minute
      </button>
      {trace && doors.value.has('tempo') && (
        <a class="btn small" data-link href={href(`/trace/${trace}`, row.labels['span_id'] ? { span: row.labels['span_id'] } : {})}>
          <Icon name="traces" size={12} /> Its trace
        </a>
      )}
      {service && (
        <button type="button" class="btn small" onClick={() => void metrics()}>
          <Icon name="explore" size={12} /> Metrics of {service}
        </button>
      )}
      {service && doors.value.has('tempo') && (
        <button
          type="button"
          class="btn small"
          onClick={() => {
            near();
            open('traces', [serviceTraces(service)], true);
          }}
        >
          <Icon name="traces" size={12} /> Traces of {service}
        </button>
      )}
      <button type="button" class="btn small" onClick={() => void copyText(lineLink(row, query), 'Link to this line copied')}>
        <Icon name="link" size={12} /> Link
      </button>
    </>
  );
}
