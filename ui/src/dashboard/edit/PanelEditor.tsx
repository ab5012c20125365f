// One panel with its queries, transformations and options; every change is drawn at once.

import { useRef, useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import { setParams } from '../../shell/router';
import { toast } from '../../shell/toast';
import { library, libraryUid } from '../../api/library';
import { unlink } from '../view/PanelMenu';
import type { Placed } from '../model/repeat';
import type { Session } from '../model/session';
import type { Panel } from '../model/types';
import type { PanelState } from '../panels/usePanelData';
import { WITHOUT_QUERY } from '../panels/registry';
import type { AnnotationEvent } from '../query/annotations';
import { PanelFrame } from '../view/PanelFrame';
import { VariableBar } from '../view/VariableBar';
import { JsonArea } from './controls';
import { PanelOptions } from './PanelOptions';
import { QueryTab } from './QueryTab';
import { TransformTab } from './TransformTab';
import './edit.css';

type Tab = 'query' | 'transform' | 'json';

export default function PanelEditor({ session: s, placed, annotations }: { session: Session; placed: Placed; annotations: AnnotationEvent[] }) {
  const [tab, setTab] = useState<Tab>('query');
  const [state, setState] = useState<PanelState | null>(null);
  const before = useRef(placed.panel);
  const panel = placed.panel;
  const change = (p: Panel) => {
    s.editing.value = true;
    s.changePanel(p);
  };
  const close = () => setParams({ editPanel: null }, true);
  const plain = WITHOUT_QUERY.has(panel.type);
  const inLibrary = libraryUid(panel);
  const tabs: [Tab, string][] = [
    ...(plain ? [] : ([
      ['query', `Queries (${panel.targets?.length ?? 0})`],
      ['transform', `Transformations (${panel.transformations?.length ?? 0})`],
    ] as [Tab, string][])),
    ['json', 'JSON'],
  ];
  const shown = plain ? 'json' : tab;
  return (
    <div class="pe">
      <div class="pe-bar">
        <strong class="cut">Edit: {s.title(panel.title) || panel.type}</strong>
        <span class="grow" />
        <button
          type="button"
          class="btn small"
          disabled={panel === before.current}
          onClick={() => {
            change(before.current);
          }}
        >
          Undo all
        </button>
        <button type="button" class="btn small primary" onClick={close} data-done>
          <Icon name="check" size={13} /> Back to the dashboard
        </button>
      </div>
      {inLibrary && (
        <div class="pe-library" role="note">
          <span>
            Kept in the library as “{String((panel['libraryPanel'] as { name?: string }).name ?? inLibrary)}”: what is changed here changes every dashboard that uses it.
          </span>
          <button
            type="button"
            class="btn small primary"
            data-to-library
            onClick={() =>
              void library.change(inLibrary, s.libraryVersions.get(inLibrary) ?? 1, panel).then(
                (e) => {
                  s.libraryVersions.set(inLibrary, e.version);
                  before.current = panel;
                  toast('Saved to the library');
                },
                (e: Error) => toast(e.message),
              )
            }
          >
            Save to the library
          </button>
          <button type="button" class="btn small" onClick={() => unlink(s, panel)}>
            Unlink
          </button>
        </div>
      )}
      <VariableBar session={s} />
      <div class="pe-main">
        <div class="pe-left">
          <div class="pe-preview">
            <PanelFrame session={s} placed={placed} annotations={annotations} alone onState={setState} />
          </div>
          <div class="seg pe-tabs" role="tablist">
            {tabs.map(([k, t]) => (
              <button type="button" role="tab" key={k} aria-selected={shown === k} onClick={() => setTab(k)}>
                {t}
              </button>
            ))}
          </div>
          {shown === 'query' && <QueryTab session={s} panel={panel} state={state} onChange={change} />}
          {shown === 'transform' && <TransformTab session={s} panel={panel} state={state} onChange={change} />}
          {shown === 'json' && <JsonArea label="The panel as JSON" value={panel} rows={22} onChange={(v) => change({ ...(v as Panel), id: panel.id })} />}
        </div>
        <PanelOptions session={s} panel={panel} frames={state?.frames ?? []} onChange={change} />
      </div>
    </div>
  );
}
