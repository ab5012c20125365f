// The traces panel: one trace as a waterfall, or what a search found as a list of which each opens here.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import { href } from '../../shell/router';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { parseTrace, type Trace } from '../../traces/trace';
import { nsText } from '../../traces/text';
import { Waterfall } from '../../traces/Waterfall';
import { displayer } from '../field/display';
import type { Frame } from '../frame/frame';
import { traceById } from '../query/tempo';
import { isTrace, traceOfFrame } from '../query/trace_frames';
import type { PanelView } from './props';

const HEAD = 34;
const BAR = 40;

function One({ trace, id, height, onBack }: { trace: Trace; id: string; height: number; onBack?: () => void }) {
  const root = trace.spans[0]!;
  return (
    <div class="trace-panel">
      <div class="trace-head">
        {onBack && (
          <button type="button" class="icon-btn" onClick={onBack} aria-label="Back to the list" title="Back to the list">
            <Icon name="left" size={14} />
          </button>
        )}
        <a class="cut" data-link href={href(`/trace/${id}`)}>
          {root.service}: {root.name}
        </a>
        <span class="dim num">
          {formatInstant(trace.startMs, zone.value)}, {nsText(trace.durationNs)}, {trace.spans.length} spans
          {trace.errors > 0 && <span class="bad">, {trace.errors} errors</span>}
        </span>
      </div>
      <Waterfall trace={trace} traceId={id} height={Math.max(80, height - HEAD - BAR)} />
    </div>
  );
}

function column(f: Frame, ...names: string[]) {
  return f.fields.find((x) => names.includes(x.name));
}

function List({ frame: f, onOpen }: { frame: Frame; onOpen: (id: string) => void }) {
  const id = column(f, 'Trace ID', 'traceID')!;
  const start = column(f, 'Start time', 'startTime');
  const service = column(f, 'Service', 'traceService');
  const name = column(f, 'Name', 'traceName');
  const duration = column(f, 'Duration', 'traceDuration');
  const longest = Math.max(1e-9, ...((duration?.values ?? []) as number[]).filter((v) => Number.isFinite(v)));
  const show = duration && displayer(duration);
  return (
    <div class="trace-list">
      <table class="table">
        <thead>
          <tr>
            <th>Start</th>
            <th>Service</th>
            <th>Name</th>
            <th>Duration</th>
          </tr>
        </thead>
        <tbody>
          {id.values.map((v, i) => (
            <tr key={i}>
              <td class="num">{start ? formatInstant(Number(start.values[i]), zone.value) : ''}</td>
              <td>{String(service?.values[i] ?? '')}</td>
              <td>
                <button type="button" class="linkish" onClick={() => onOpen(String(v))}>
                  {String(name?.values[i] || v)}
                </button>
              </td>
              <td>
                <span class="trace-len">
                  <span class="bar">
                    <i style={{ width: `${((Number(duration?.values[i]) || 0) / longest) * 100}%` }} />
                  </span>
                  <span class="num">{show ? show(duration.values[i]).text : ''}</span>
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export default function TracesPanel(p: PanelView) {
  const [open, setOpen] = useState<string | null>(null);
  const [got, setGot] = useState<{ id: string; trace: Trace | null; error: string } | null>(null);
  const whole = useMemo(() => {
    const f = p.frames.find(isTrace);
    return f ? traceOfFrame(f) : null;
  }, [p.frames]);
  useEffect(() => {
    if (!open) return;
    const abort = new AbortController();
    traceById(open, abort.signal).then(
      (w) => setGot({ id: open, trace: parseTrace(w), error: '' }),
      (e: Error) => !abort.signal.aborted && setGot({ id: open, trace: null, error: e.message }),
    );
    return () => abort.abort();
  }, [open]);
  if (whole) return <One trace={whole.trace} id={whole.id} height={p.height} />;
  if (open) {
    if (got?.id !== open) return <div class="skeleton" style={{ height: '100%' }} />;
    if (got.trace) return <One trace={got.trace} id={open} height={p.height} onBack={() => setOpen(null)} />;
    return (
      <div class="empty">
        <p>{got.error || `The trace ${open} has no spans.`}</p>
        <button type="button" class="btn small" onClick={() => setOpen(null)}>
          Back to the list
        </button>
      </div>
    );
  }
  const list = p.frames.find((f) => column(f, 'Trace ID', 'traceID'));
  if (!list) return <div class="empty">The result has no traces: ask with TraceQL, or for the id of one.</div>;
  if (list.length === 0) return <div class="empty">No traces match in this time range.</div>;
  return <List frame={list} onOpen={setOpen} />;
}
