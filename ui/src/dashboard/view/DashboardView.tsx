// The open dashboard: its bar, its variables, its panels; one panel alone; the panel editor.

import { useEffect, useState } from 'preact/hooks';
import { useSignalEffect } from '@preact/signals';
import { followRange, pageTime } from '../../time/scope';
import type { ResolvedRange } from '../../time/state';
import { current, setParams } from '../../shell/router';
import { intervalMs } from '../variables/interval';
import { scrapeMs } from '../../api/interval';
import { queryFormat, type DefaultFormat } from '../variables/interpolate';
import { annotationEvents, type AnnotationEvent } from '../query/annotations';
import type { Session } from '../model/session';
import { useVars } from '../panels/usePanelData';
import { DashboardBar } from './DashboardBar';
import { Grid } from './Grid';
import { PanelFrame } from './PanelFrame';
import { VariableBar } from './VariableBar';
import { installDashboardKeys } from './keys';
import { placeOf } from './place';
import { lazyPart } from './lazy';

const PanelEditor = lazyPart(() => import('../edit/PanelEditor'));
const AnnotateDialog = lazyPart(() => import('../edit/AnnotateDialog'));
const SettingsDialog = lazyPart(() => import('../edit/Settings'));

/** The events to mark in all panels, loaded with every refresh. */
function useAnnotations(s: Session): AnnotationEvent[] {
  const vars = useVars(s);
  const [events, set] = useState<AnnotationEvent[]>([]);
  const list = s.model.value.annotations?.list ?? [];
  const key = JSON.stringify(list);
  useEffect(() => {
    if (!vars.ready) return;
    if (!list.some((a) => a.enable !== false)) return set((e) => (e.length ? [] : e));
    let abort = new AbortController();
    const load = (r: ResolvedRange) => {
      abort.abort();
      abort = new AbortController();
      const { signal } = abort;
      const stepMs = intervalMs(r.toMs - r.fromMs, 300, scrapeMs.peek());
      void annotationEvents(
        list,
        {
          fromMs: r.fromMs,
          toMs: r.toMs,
          uid: String(s.model.peek().uid ?? ''),
          stepMs,
          fill: (t) => s.vars.fill(t, { __interval: { value: `${stepMs / 1000}s`, verbatim: true } }, queryFormat as DefaultFormat),
          filter: (t) => s.vars.fill(t),
        },
        signal,
      ).then(({ events: e }) => {
        if (!signal.aborted) set((old) => (old.length === 0 && e.length === 0 ? old : e));
      });
    };
    // Not as state: a refresh without events draws nothing anew but the panels themselves.
    const stop = followRange(pageTime, load);
    return () => {
      stop();
      abort.abort();
    };
  }, [vars.ready, vars.version, key]);
  return events;
}

export function DashboardView({ session: s, solo, onReload }: { session: Session; solo: boolean; onReload: () => void }) {
  const annotations = useAnnotations(s);
  const model = s.model.value;
  const params = current.value.params;
  const view = params.get('viewPanel') ?? (solo ? params.get('panelId') : null);
  const edit = params.get('editPanel');
  const kiosk = params.has('kiosk') || solo;

  useEffect(() => {
    document.title = `${model.title} · Pharos`;
  }, [model.title]);
  useEffect(() => followRange(pageTime, () => s.vars.timeChanged()), [s]);
  useEffect(() => installDashboardKeys(s), [s]);
  // Leaving with changes that are not saved asks first.
  useEffect(() => {
    const ask = (e: BeforeUnloadEvent) => {
      if (s.dirty.peek()) e.preventDefault();
    };
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [s]);
  // What is picked goes into the address, and what the address says is picked.
  useSignalEffect(() => {
    if (s.vars.version.value > 0 && s.vars.ready.value) setParams(s.vars.params());
  });
  useSignalEffect(() => {
    const p = current.value.params;
    if (s.vars.ready.peek()) s.vars.readParams(p);
  });

  const one = view !== null ? placeOf(s, view) : null;
  const editing = edit !== null ? placeOf(s, edit) : null;
  return (
    <div class={kiosk ? 'dash kiosk' : 'dash'} data-dashboard={model.uid ?? ''}>
      {!solo && <DashboardBar session={s} onReload={onReload} viewing={one !== null} />}
      {!solo && editing === null && <VariableBar session={s} />}
      {editing ? (
        <PanelEditor session={s} placed={editing} annotations={annotations} />
      ) : one ? (
        <div class="dash-one">
          <PanelFrame session={s} placed={one} annotations={annotations} alone />
        </div>
      ) : view !== null || edit !== null ? (
        <div class="empty big">There is no panel {view ?? edit} in this dashboard.</div>
      ) : (
        <Grid session={s} annotations={annotations} />
      )}
      {s.annotating.value && <AnnotateDialog session={s} at={s.annotating.value} onClose={() => (s.annotating.value = null)} />}
      {params.has('editview') && <SettingsDialog session={s} tab={params.get('editview') ?? 'settings'} />}
    </div>
  );
}
