// What an annotation says, beside its mark.

import type uPlot from 'uplot';
import { dashboards } from '../../../api/dashboards';
import { Icon } from '../../../shell/icons';
import { toast } from '../../../shell/toast';
import { formatInstant } from '../../../time/grammar';
import { refreshNow, zone } from '../../../time/state';
import type { Session } from '../../model/session';
import type { AnnotationEvent } from '../../query/annotations';

const REACH_PX = 6;

/** Events whose mark is under the pointer. */
export function eventsAt(events: AnnotationEvent[], u: uPlot, left: number): AnnotationEvent[] {
  return events.filter((e) => {
    const a = u.valToPos(e.timeMs / 1000, 'x');
    const b = e.endMs ? u.valToPos(e.endMs / 1000, 'x') : a;
    return Math.abs(a - left) <= REACH_PX || Math.abs(b - left) <= REACH_PX;
  });
}

export function EventTip({ x, events, session, onClose }: { x: number; events: AnnotationEvent[]; session: Session; onClose: () => void }) {
  const remove = (id: number) => {
    dashboards.removeAnnotation(id).then(
      () => {
        toast('Annotation deleted');
        onClose();
        refreshNow();
      },
      (e: Error) => toast(e.message),
    );
  };
  return (
    <div class="event-tip" style={{ left: `${Math.max(4, x - 20)}px` }} role="dialog" aria-label="Annotations">
      <button type="button" class="icon-btn" onClick={onClose} aria-label="Close">
        <Icon name="close" size={12} />
      </button>
      {events.slice(0, 8).map((e, i) => (
        <div key={i} class="event">
          <div class="dim num">
            {formatInstant(e.timeMs, zone.value)}
            {e.endMs ? ` – ${formatInstant(e.endMs, zone.value)}` : ''}
          </div>
          {e.title && <strong>{e.title}</strong>}
          {e.text && <p>{e.text.replace(/<[^>]*>/g, ' ')}</p>}
          {e.tags.length > 0 && (
            <div>
              {e.tags.map((t) => (
                <span class="tag" key={t}>
                  {t}
                </span>
              ))}
            </div>
          )}
          {e.id !== undefined && session.meta.value?.canSave !== false && (
            <span class="event-acts">
              <button
                type="button"
                class="btn small"
                onClick={() => {
                  session.annotating.value = { fromMs: e.timeMs, toMs: e.endMs ?? e.timeMs, panelId: e.panelId ?? 0, id: e.id, text: e.text, tags: e.tags };
                  onClose();
                }}
              >
                Edit
              </button>
              <button type="button" class="btn small" onClick={() => remove(e.id!)}>
                Delete
              </button>
            </span>
          )}
        </div>
      ))}
    </div>
  );
}
