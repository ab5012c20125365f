// The panels on their grid of 24 columns, row by row. Closed rows neither mount nor query.

import { useRef, useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import { current, href, setParams } from '../../shell/router';
import type { Placed, Section } from '../model/repeat';
import { sections } from '../model/repeat';
import type { Session } from '../model/session';
import { useVars } from '../panels/usePanelData';
import type { AnnotationEvent } from '../query/annotations';
import { addPanel, addRow, removePanel } from '../edit/operations';
import { startDrag } from '../edit/drag';
import { PanelFrame } from './PanelFrame';
import { repeatValues } from './place';

function RowHead({ s, sec, open, onToggle }: { s: Session; sec: Section; open: boolean; onToggle: () => void }) {
  const row = sec.row!;
  const count = sec.panels.length;
  return (
    <div class={open ? 'dash-row open' : 'dash-row'} data-row={row.title}>
      <button type="button" class="dash-row-title" aria-expanded={open} onClick={onToggle}>
        <Icon name={open ? 'down' : 'right'} size={13} />
        <span>{s.title(row.title, sec.scoped) || 'Row'}</span>
        {!open && <span class="dim">{count === 1 ? '1 panel' : `${count} panels`}</span>}
      </button>
      {s.editing.value && !sec.copy && (
        <>
          <button type="button" class="icon-btn" title="Rename the row" aria-label="Rename the row" onClick={() => renameRow(s, row.id, row.title ?? '')}>
            <Icon name="edit" size={13} />
          </button>
          <button type="button" class="icon-btn" title="Delete the row, keep its panels" aria-label="Delete the row" onClick={() => s.change(removePanel(s.model.peek(), row.id))}>
            <Icon name="trash" size={13} />
          </button>
        </>
      )}
    </div>
  );
}

function renameRow(s: Session, id: number, title: string): void {
  const next = prompt('Title of the row', title);
  const row = s.panel(id);
  if (next !== null && row) s.changePanel({ ...row, title: next });
}

function Cells({ s, panels, annotations }: { s: Session; panels: Placed[]; annotations: AnnotationEvent[] }) {
  const ref = useRef<HTMLDivElement>(null);
  const editing = s.editing.value;
  return (
    <div class={editing ? 'dash-grid editing' : 'dash-grid'} ref={ref}>
      {panels.map((p) => (
        <div
          key={p.key}
          class="dash-cell"
          style={{ '--x': String(p.pos.x + 1), '--y': String(p.pos.y + 1), '--w': String(p.pos.w), '--h': String(p.pos.h) }}
          data-panel-id={p.panel.id}
        >
          <PanelFrame
            session={s}
            placed={p}
            annotations={annotations}
            onDrag={editing && !p.copy && !p.panel.repeat ? (e) => startDrag(e, 'move', s, p, panels, ref.current!) : undefined}
          />
          {editing && !p.copy && <span class="dash-resize" title="Drag to resize" onPointerDown={(e) => startDrag(e, 'size', s, p, panels, ref.current!)} />}
        </div>
      ))}
    </div>
  );
}

export function Grid({ session: s, annotations }: { session: Session; annotations: AnnotationEvent[] }) {
  useVars(s);
  const model = s.model.value;
  // Opening and closing a row is the reader's, it changes nothing that is stored.
  const [toggled, setToggled] = useState<Record<string, boolean>>({});
  const list = sections(model.panels, repeatValues(s));
  if (list.length === 0) {
    return (
      <div class="empty big">
        <h1>This dashboard is empty</h1>
        <p>Add a panel, or import a dashboard that you already have.</p>
        <div class="dash-start">
          <button
            type="button"
            class="btn primary"
            onClick={() => {
              s.editing.value = true;
              const { dashboard, id } = addPanel(s.model.peek());
              s.change(dashboard);
              setParams({ editPanel: String(id) }, true);
            }}
          >
            <Icon name="plus" /> Add a panel
          </button>
          <button
            type="button"
            class="btn"
            onClick={() => {
              s.editing.value = true;
              s.change(addRow(s.model.peek()));
            }}
          >
            Add a row
          </button>
          <a class="btn" data-link href={href('/dashboard/import')}>
            <Icon name="upload" /> Import a dashboard
          </a>
        </div>
      </div>
    );
  }
  void current.value;
  return (
    <>
      {list.map((sec) => {
        const open = sec.row === null || (toggled[sec.key] ?? sec.row.collapsed !== true);
        return (
          <section key={sec.key} class="dash-section">
            {sec.row && <RowHead s={s} sec={sec} open={open} onToggle={() => setToggled({ ...toggled, [sec.key]: !open })} />}
            {open && sec.panels.length > 0 && <Cells s={s} panels={sec.panels} annotations={annotations} />}
          </section>
        );
      })}
    </>
  );
}
