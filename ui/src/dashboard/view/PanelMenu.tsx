// What can be done with a panel.

import { useEffect, useRef, useState } from 'preact/hooks';
import { csvField, download } from '../../pages/explore/csv';
import { paneOf, panesText, SIGNALS } from '../../pages/explore/panes';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { current, go, href, setParams } from '../../shell/router';
import { copyText, toast } from '../../shell/toast';
import { library, libraryUid } from '../../api/library';
import type { Panel } from '../model/types';
import { displayName } from '../frame/frame';
import { displayer } from '../field/display';
import type { Placed } from '../model/repeat';
import type { Session } from '../model/session';
import type { PanelState } from '../panels/usePanelData';
import { duplicatePanel, removePanel } from '../edit/operations';
import { PANEL_KEY } from './keys';
import { lazyPart } from './lazy';

const Inspector = lazyPart(() => import('./Inspector'));

/** A frame as CSV; values as they are measured, times as ISO instants. */
export function framesCsv(state: PanelState, formatted = false): string {
  const cell = (v: unknown) => csvField(v === null || v === undefined ? null : typeof v === 'object' ? JSON.stringify(v) : typeof v === 'number' ? v : String(v));
  return state.frames
    .filter((f) => f.name !== 'exemplar')
    .map((f) => {
      const shows = f.fields.map((x) => displayer(x));
      const head = f.fields.map((x) => cell(displayName(x, f, state.frames))).join(',');
      const rows = Array.from({ length: f.length }, (_, i) =>
        f.fields.map((x, k) => cell(formatted ? shows[k]!(x.values[i]).text : x.type === 'time' && typeof x.values[i] === 'number' ? new Date(x.values[i]).toISOString() : x.values[i])).join(','),
      );
      return [head, ...rows].join('\r\n') + '\r\n';
    })
    .join('\r\n');
}

const explorable = (r: { kind: string }): boolean => SIGNALS.some((s) => s.source === r.kind);

export function exploreHref(state: PanelState): string {
  // One pane has one signal: that of the first query it can ask.
  const ran = state.data?.ran ?? [];
  const s = SIGNALS.find((x) => x.source === ran.find(explorable)?.kind) ?? SIGNALS[0]!;
  return href(s.path, { panes: panesText([paneOf(s.signal, ran.filter((r) => r.kind === s.source).map((r) => r.query))]) });
}

async function makeLibrary(s: Session, panel: Panel): Promise<void> {
  const name = prompt('Name of the library panel', panel.title ?? '')?.trim();
  if (!name) return;
  try {
    const e = await library.create(name, panel);
    s.libraryVersions.set(e.uid, e.version);
    s.editing.value = true;
    s.changePanel({ ...panel, libraryPanel: { uid: e.uid, name: e.name } });
    toast('Kept in the library; save the dashboard to use it from there');
  } catch (e) {
    toast((e as Error).message);
  }
}

/** The panel stays as it is and is the dashboard's own from now on. */
export function unlink(s: Session, panel: Panel): void {
  const { libraryPanel: _l, ...own } = panel;
  s.editing.value = true;
  s.changePanel(own as Panel);
}

export function PanelMenu({ session: s, placed, state, title, alone }: { session: Session; placed: Placed; state: PanelState; title: string; alone: boolean }) {
  const [open, setOpen] = useState(false);
  const [inspect, setInspect] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const canExplore = state.data?.ran.some(explorable) ?? false;
  useEffect(() => {
    const el = root.current!;
    const key = (e: Event) => {
      const { detail } = e as CustomEvent<string>;
      if (detail === 'i') setInspect(true);
      else if (detail === 'x' && canExplore) go(exploreHref(state));
    };
    el.addEventListener(PANEL_KEY, key);
    return () => el.removeEventListener(PANEL_KEY, key);
  }, [state, canExplore]);
  const close = () => setOpen(false);
  const canEdit = s.model.value.editable !== false && !placed.copy && !s.publicToken && !s.model.value['snapshot'];
  const item = (text: string, run: () => void, note = '') => (
    <button
      type="button"
      role="menuitem"
      class="row-btn"
      onClick={() => {
        close();
        run();
      }}
    >
      {text}
      {note && <kbd>{note}</kbd>}
    </button>
  );
  return (
    <div class="anchor panel-menu" ref={root}>
      <button type="button" class="icon-btn quiet" aria-haspopup="menu" aria-expanded={open} aria-label={`Menu of ${title || 'the panel'}`} title="Menu" onPointerDown={(e) => e.stopPropagation()} onClick={() => setOpen(!open)}>
        <Icon name="dots" size={14} />
      </button>
      {open && (
        <Popover onClose={close} label="Panel" class="menu right">
          {alone || current.value.params.has('viewPanel') ? item('Back to the dashboard', () => setParams({ viewPanel: null }, true), 'v') : item('View', () => setParams({ viewPanel: placed.key }, true), 'v')}
          {canEdit && item('Edit', () => setParams({ editPanel: String(placed.panel.id), viewPanel: null }, true), 'e')}
          {canExplore && item('Explore', () => go(exploreHref(state)), 'x')}
          {item('Inspect', () => setInspect(true), 'i')}
          {item('Download CSV', () => download(`${title || 'panel'}.csv`, framesCsv(state)))}
          {item('Copy link', () => {
            const u = new URL(location.href);
            u.searchParams.set('viewPanel', placed.key);
            void copyText(u.href, 'Link copied');
          })}
          {item('Copy JSON', () => void copyText(JSON.stringify(placed.panel, null, 2), 'Panel copied'))}
          {canEdit && s.editing.value && item('Duplicate', () => s.change(duplicatePanel(s.model.peek(), placed.panel.id)))}
          {canEdit && !libraryUid(placed.panel) && item('Make a library panel', () => void makeLibrary(s, placed.panel))}
          {canEdit && libraryUid(placed.panel) !== null && item('Unlink from the library', () => unlink(s, placed.panel))}
          {canEdit &&
            item('Remove', () => {
              s.editing.value = true;
              s.change(removePanel(s.model.peek(), placed.panel.id));
            })}
        </Popover>
      )}
      {inspect && <Inspector state={state} panel={placed.panel} title={title} onClose={() => setInspect(false)} />}
    </div>
  );
}
