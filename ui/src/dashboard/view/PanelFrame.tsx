// The frame of a panel: title, menu, warnings, and the drawing inside, which lives while it is near
// the screen.

import { Component, type ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useRange, useVisible } from '../../api/live';
import { libraryUid } from '../../api/library';
import { Icon } from '../../shell/icons';
import { isDrawn } from '../panels/known';
import { LinkAnchor } from '../panels/Linked';
import { readyLinks } from '../panels/links';
import { loadPanel, panelComponent, WITHOUT_QUERY } from '../panels/registry';
import { usePanelData, type PanelState } from '../panels/usePanelData';
import type { HeatCell, PanelComponent } from '../panels/props';
import { panelRange } from '../query/run';
import { marksPanel, type AnnotationEvent } from '../query/annotations';
import type { Placed } from '../model/repeat';
import type { Session } from '../model/session';
import { PanelMenu } from './PanelMenu';

const SLOW_MS = 500;

/** A drawing that fails must not take the dashboard with it. */
class Guard extends Component<{ id: unknown; children: ComponentChildren }, { error: Error | null }> {
  override state = { error: null as Error | null };
  static override getDerivedStateFromError(error: Error) {
    return { error };
  }
  override componentDidUpdate(before: { id: unknown }) {
    if (this.state.error && before.id !== this.props.id) this.setState({ error: null });
  }
  override render() {
    return this.state.error ? <div class="failure">This panel could not be drawn: {this.state.error.message}</div> : this.props.children;
  }
}

function useSize(ref: { current: HTMLElement | null }): { width: number; height: number } {
  const [size, set] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const el = ref.current!;
    const read = () => {
      const s = { width: el.clientWidth, height: el.clientHeight };
      set((o) => (o.width === s.width && o.height === s.height ? o : s));
    };
    read();
    const ro = new ResizeObserver(read);
    ro.observe(el);
    return () => ro.disconnect();
  }, []);
  return size;
}

/** True once something has lasted for a while: what is quick needs no sign that it is under way. */
function useSlow(on: boolean): boolean {
  const [slow, set] = useState(false);
  useEffect(() => {
    if (!on) return set(false);
    const t = setTimeout(() => set(true), SLOW_MS);
    return () => clearTimeout(t);
  }, [on]);
  return slow && on;
}

function useDrawing(type: string, wanted: boolean): { body: PanelComponent | null; failed: boolean } {
  const [, bump] = useState(0);
  const [failed, setFailed] = useState(false);
  const ready = panelComponent(type);
  useEffect(() => {
    if (!wanted || ready) return;
    setFailed(false);
    loadPanel(type).then(
      () => bump((n) => n + 1),
      () => setFailed(true),
    );
  }, [type, wanted]);
  return { body: ready, failed };
}

function Problems({ state, title }: { state: PanelState; title: string }) {
  const d = state.data;
  const errors = [...(d?.errors.map((e) => `${e.refId}: ${e.message}\n${e.query}`) ?? []), ...(state.error ? [state.error.message] : [])];
  const warnings = [...new Set([...(d?.warnings ?? []), ...state.problems])];
  if (errors.length === 0 && warnings.length === 0) return null;
  const text = [...errors, ...warnings].slice(0, 6).join('\n');
  return (
    <span class={errors.length ? 'hint warn error' : 'hint warn'} tabIndex={0} aria-label={`${title}: ${text}`} data-tip={text}>
      <Icon name="warn" />
    </span>
  );
}

export function PanelFrame(p: { session: Session; placed: Placed; annotations: AnnotationEvent[]; alone?: boolean; onState?: (s: PanelState) => void; onCell?: (c: HeatCell) => void; onDrag?: (e: PointerEvent) => void }) {
  const { session: s, placed } = p;
  const { panel, scoped } = placed;
  const box = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const near = useVisible(box);
  const size = useSize(body);
  const known = isDrawn(panel.type);
  const fromLibrary = panel.type === 'library' || panel.type === 'library-panel-ref';
  const state = usePanelData(s, panel, scoped, near, size.width);
  const drawing = useDrawing(known ? panel.type : '', near && known);
  const range = useRange();
  const title = s.title(panel.title, scoped);
  const fill = useMemo(() => (t: string) => s.fill(t, scoped), [s, scoped, s.vars.version.value]);
  const note = panel.hideTimeOverride ? '' : panelRange(panel, range.fromMs, range.toMs, fill).note;
  const links = panel.links?.length ? readyLinks(panel.links, fill) : [];
  useEffect(() => p.onState?.(state), [state.data, state.frames, state.loading]);
  const events = useMemo(() => p.annotations.filter((e) => marksPanel(e, panel.id)), [p.annotations, panel.id]);
  const slow = useSlow(state.loading && state.data !== null);
  const Body = drawing.body;
  const failedAll = state.data !== null && state.frames.length === 0 && state.data.errors.length > 0;
  const cls = `card panel${panel.transparent ? ' transparent' : ''}${state.loading && !state.data ? ' waiting' : ''}${title === '' ? ' untitled' : ''}`;
  return (
    <section class={cls} ref={box} aria-label={title || panel.type} aria-busy={state.loading}>
      <header class={p.onDrag ? 'panel-head drag' : 'panel-head'} onPointerDown={p.onDrag}>
        <h2 class="cut" title={title}>
          {title}
        </h2>
        {panel.description && (
          <span class="hint" tabIndex={0} role="note" aria-label={fill(panel.description)} data-tip={fill(panel.description)}>
            <Icon name="info" />
          </span>
        )}
        {note && (
          <span class="tag panel-note" title="This panel has a time range of its own">
            {note}
          </span>
        )}
        <Problems state={state} title={title} />
        {links.length > 0 && (
          <span class="panel-links">
            {links.slice(0, 3).map((l, i) => (
              <LinkAnchor key={i} link={l} class="icon-btn quiet">
                <Icon name="link" size={13} />
              </LinkAnchor>
            ))}
          </span>
        )}
        <span class="grow" />
        <PanelMenu session={s} placed={placed} state={state} title={title} alone={p.alone ?? false} />
      </header>
      {slow && <span class="panel-loading" />}
      <div class="panel-in" ref={body} data-panel={title} data-type={panel.type} data-state={state.loading ? 'loading' : failedAll ? 'error' : 'done'}>
        <Guard id={state.data}>
          {!known ? (
            <div class="empty placeholder">
              <strong>{fromLibrary ? 'Library panel' : panel.type}</strong>
              <span>
                {fromLibrary
                  ? `The library has no panel ${libraryUid(panel) ?? ''}. The reference is kept.`
                  : 'Pharos does not draw this type of panel. Its settings are kept and go along when the dashboard is exported.'}
              </span>
            </div>
          ) : drawing.failed ? (
            <div class="failure">The code of this panel could not be loaded. Load the page anew.</div>
          ) : failedAll ? (
            <div class="failure" role="alert">
              <Icon name="warn" />
              <span>
                {title ? `${title}, query ` : 'Query '}
                {state.data!.errors[0]!.refId}: {state.data!.errors[0]!.message}
                {state.data!.errors[0]!.query && <code class="failure-query">{state.data!.errors[0]!.query}</code>}
              </span>
            </div>
          ) : state.error && !state.data ? (
            <div class="failure" role="alert">
              {state.error.message}
            </div>
          ) : near && Body && state.data && size.width > 0 ? (
            state.frames.length === 0 && !WITHOUT_QUERY.has(panel.type) ? (
              <div class="empty">{panel.targets?.length ? 'No data' : 'This panel has no query yet.'}</div>
            ) : (
              <Body panel={panel} data={state.data} frames={state.frames} width={size.width} height={size.height} session={s} scoped={scoped} fill={fill} annotations={events} onCell={p.onCell} />
            )
          ) : (
            <div class="skeleton" style={{ height: '100%' }} />
          )}
        </Guard>
      </div>
    </section>
  );
}
