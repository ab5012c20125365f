// What one span says: its attributes, resource, events, links, its log lines, and where to go on from it.

import { useState } from 'preact/hooks';
import { doors } from '../api/doors';
import { quote } from '../api/expr';
import type { LogRow } from '../dashboard/query/logs';
import { Icon } from '../shell/icons';
import { go, href } from '../shell/router';
import { copyText } from '../shell/toast';
import { formatInstant } from '../time/grammar';
import { zone } from '../time/state';
import { nsText } from './text';
import type { Span, Trace } from './trace';

function Attributes({ title, list, open = true, onPick }: { title: string; list: [string, string][]; open?: boolean; onPick?: (key: string, value: string) => void }) {
  const [shown, setShown] = useState(open);
  if (list.length === 0) return null;
  return (
    <>
      <h3>
        <button type="button" class="tr-fold" aria-expanded={shown} onClick={() => setShown(!shown)}>
          <Icon name={shown ? 'down' : 'right'} size={11} /> {title} <span class="dim">{list.length}</span>
        </button>
      </h3>
      {shown && (
        <table>
          <tbody>
            {list.map(([k, v], i) => (
              <tr key={i}>
                <td class="dim">{k}</td>
                <td>{v}</td>
                <td class="tr-pick">
                  {onPick && (
                    <button type="button" class="icon-btn" title={`Traces with ${k} = ${v}`} aria-label={`Traces with ${k} = ${v}`} onClick={() => onPick(k, v)}>
                      <Icon name="search" size={11} />
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

const attribute = (scope: string, key: string) => `${scope}.${/^[\w.\-/]+$/.test(key) ? key : JSON.stringify(key)}`;

export function SpanDetails({ s, trace, traceId, logs, logsError, onClose }: { s: Span; trace: Trace; traceId: string; logs: LogRow[] | null; logsError: string; onClose: () => void }) {
  const fromMs = Math.floor(trace.startMs + s.startNs / 1e6 - 60_000);
  const toMs = Math.ceil(trace.startMs + (s.startNs + s.durationNs) / 1e6 + 60_000);
  const around = { from: String(fromMs), to: String(toMs) };
  const loki = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: `{service_name=${quote(s.service)}} | trace_id=${quote(traceId)}` }] } });
  const search = (field: string, value: string) => {
    const q = `{ ${field} = ${/^-?\d+(\.\d+)?$|^(true|false)$/.test(value) ? value : quote(value)} }`;
    go(href('/traces', { from: String(trace.startMs - 1_800_000), to: String(Math.ceil(trace.startMs + trace.durationNs / 1e6) + 1_800_000), q }));
  };
  const wide = { from: String(fromMs - 840_000), to: String(toMs + 840_000) };
  const link = new URL(href(`/trace/${traceId}`, { span: s.id }), location.href).href;
  return (
    <div class="tr-details">
      <p class="tr-head">
        <strong>{s.name}</strong>
        {s.error && <span class="tag bad">error</span>}
        <span class="grow" />
        <button type="button" class="icon-btn" aria-label="Close the details" title="Close" onClick={onClose}>
          <Icon name="close" size={13} />
        </button>
      </p>
      {s.statusMessage && <p class="bad">{s.statusMessage}</p>}
      <p class="dim num">
        {s.service}
        {s.kind && `, ${s.kind}`} · {nsText(s.durationNs)}, {nsText(s.startNs)} after the start
        {s.orphan && ', its parent is missing'}
      </p>
      <p class="log-actions">
        <a class="btn small" data-link href={href(`/service/${encodeURIComponent(s.service)}`, wide)} title="Rate, errors and latency of the service at that time">
          <Icon name="service" size={12} /> Metrics of {s.service}
        </a>
        {doors.value.has('loki') && (
          <a class="btn small" data-link href={href('/logs', { ...around, panes: loki })}>
            <Icon name="logs" size={12} /> Logs of this trace
          </a>
        )}
        <button type="button" class="btn small" onClick={() => void copyText(link, 'Link to this span copied')} title={`Span ${s.id}`}>
          <Icon name="link" size={12} /> Link
        </button>
      </p>
      <Attributes title="Attributes" list={s.attributes} onPick={(k, v) => search(attribute('span', k), v)} />
      {s.events.map((e, i) => (
        <Attributes key={`e${i}`} title={`Event ${e.name}, ${nsText(e.atNs)} after the start`} list={e.attributes.length ? e.attributes : [['name', e.name]]} />
      ))}
      {s.links.length > 0 && <h3>Links</h3>}
      {s.links.map((l, i) => (
        <p key={i}>
          <a data-link href={href(`/trace/${l.traceId}`, l.spanId ? { span: l.spanId } : {})}>
            {l.traceId}
          </a>
          {l.traceId === traceId && <span class="dim"> in this trace</span>}
        </p>
      ))}
      {doors.value.has('loki') && (
        <>
          <h3>
            Log lines {logs && <span class="dim">{logs.length}</span>}
          </h3>
          {logsError && <p class="dim">{logsError}</p>}
          {!logs && !logsError && <p class="dim">…</p>}
          {logs && logs.length === 0 && <p class="dim">This span left none.</p>}
          {logs?.map((l, i) => (
            <p key={i} class={`tr-log log ${l.level}`}>
              <i class="log-level" />
              <span>
                <time class="num dim">{formatInstant(l.timeMs, zone.value).slice(11)}</time> {l.line}
              </span>
            </p>
          ))}
        </>
      )}
      <Attributes title="Resource" list={s.resource} open={false} onPick={(k, v) => search(attribute('resource', k), v)} />
      {s.scope && <p class="dim">Instrumented by {s.scope}</p>}
      <p class="dim mono">{`span ${s.id}${s.parentId ? `, below ${s.parentId}` : ''}`}</p>
    </div>
  );
}
