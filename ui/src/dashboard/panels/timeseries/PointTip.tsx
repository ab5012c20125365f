// What a click on a point says: where its data links lead, or which trace an exemplar is of.

import type { ComponentChildren } from 'preact';
import { Icon } from '../../../shell/icons';
import { href } from '../../../shell/router';
import { formatInstant } from '../../../time/grammar';
import { zone } from '../../../time/state';
import { LinkAnchor } from '../Linked';
import type { ReadyLink } from '../links';
import type { ExemplarPoint } from './marks';

function Box({ x, label, onClose, children }: { x: number; label: string; onClose: () => void; children: ComponentChildren }) {
  return (
    <div class="event-tip" style={{ left: `${Math.max(4, x - 20)}px` }} role="dialog" aria-label={label} onKeyDown={(e) => e.key === 'Escape' && (e.stopPropagation(), onClose())}>
      <button type="button" class="icon-btn" onClick={onClose} aria-label="Close">
        <Icon name="close" size={12} />
      </button>
      {children}
    </div>
  );
}

/** The trace an exemplar was taken in, whatever its label is called. */
export function exemplarTrace(labels: Record<string, string>): string | null {
  for (const k of ['trace_id', 'traceID', 'traceId', 'traceid', 'trace:id', 'TraceID']) {
    const v = labels[k];
    if (v && /^[0-9a-fA-F]{8,32}$/.test(v)) return v;
  }
  return null;
}

export function ExemplarTip({ x, point: p, text, onClose }: { x: number; point: ExemplarPoint; text: string; onClose: () => void }) {
  const trace = exemplarTrace(p.labels);
  return (
    <Box x={x} label="Exemplar" onClose={onClose}>
      <div class="event">
        <div class="dim num">{formatInstant(Math.round(p.timeMs), zone.value)}</div>
        <strong>{text}</strong>
        <table class="exemplar-labels">
          <tbody>
            {Object.entries(p.labels).map(([k, v]) => (
              <tr key={k}>
                <td class="dim">{k}</td>
                <td>{v}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {trace && (
          <a class="btn small" data-link href={href(`/trace/${trace}`)}>
            <Icon name="traces" size={12} /> Open the trace
          </a>
        )}
      </div>
    </Box>
  );
}

export function LinksTip({ x, links, name, onClose }: { x: number; links: ReadyLink[]; name: string; onClose: () => void }) {
  return (
    <Box x={x} label={`Links of ${name}`} onClose={onClose}>
      <div class="event">
        <strong>{name}</strong>
        {links.map((l, i) => (
          <LinkAnchor key={i} link={l} class="row-btn">
            {l.title}
          </LinkAnchor>
        ))}
      </div>
    </Box>
  );
}
