// One annotation query of a dashboard as a form.

import type { AnnotationQuery, Loose, Panel } from '../model/types';
import { sourceKind } from '../query/datasource';
import { NumberInput, Row, Select, TextInput } from './controls';
import { ColorPicker } from './values';

function kindOf(a: AnnotationQuery): 'prometheus' | 'loki' | 'grafana' {
  if (a.builtIn) return 'grafana';
  const k = sourceKind(a.datasource) ?? 'prometheus';
  return k === 'loki' || k === 'grafana' ? k : 'prometheus';
}

const exprOf = (a: AnnotationQuery): string => String(a.expr ?? (a['target'] as { expr?: string } | undefined)?.expr ?? '');

export function AnnotationEdit({ a, panels, onChange, acts }: { a: AnnotationQuery; panels: Panel[]; onChange: (a: AnnotationQuery) => void; acts: preact.ComponentChildren }) {
  const kind = kindOf(a);
  const target = (a['target'] ?? {}) as { type?: string; tags?: string[]; matchAny?: boolean; limit?: number };
  const setTarget = (p: Loose) => onChange({ ...a, target: { type: 'dashboard', ...target, ...p } });
  const filter = (a['filter'] ?? {}) as { exclude?: boolean; ids?: number[] };
  const ids = filter.ids ?? [];
  const where = ids.length === 0 ? 'all' : filter.exclude ? 'but' : 'only';
  const setFilter = (next: { exclude: boolean; ids: number[] } | undefined) => {
    const { filter: _f, ...rest } = a as AnnotationQuery & { filter?: unknown };
    onChange(next?.ids.length ? ({ ...rest, filter: next } as AnnotationQuery) : (rest as AnnotationQuery));
  };
  const setKind = (k: string) => onChange({ ...a, builtIn: undefined, datasource: k === 'grafana' ? { type: 'grafana', uid: '-- Grafana --' } : { type: k, uid: k }, ...(k === 'grafana' ? { target: { type: 'tags', tags: [], matchAny: false, limit: 100 } } : { target: undefined }) });
  return (
    <details class="opt-group" data-annotation={a.name}>
      <summary>
        {a.name} {a.enable === false && <span class="dim">off</span>}
      </summary>
      <label class="opt check">
        <input type="checkbox" checked={a.enable !== false} onChange={(e) => onChange({ ...a, enable: e.currentTarget.checked })} /> Shown
      </label>
      <Row label="Name">
        <TextInput value={a.name} label="Name" onChange={(name) => name.trim() && onChange({ ...a, name })} />
      </Row>
      <div class="opt">
        <span class="opt-label">Colour</span>
        <ColorPicker value={a.iconColor ?? ''} onChange={(iconColor) => onChange({ ...a, iconColor: iconColor || 'orange' })} />
      </div>
      {a.builtIn ? (
        <p class="note">What people wrote on this dashboard.</p>
      ) : (
        <>
          <Row label="From">
            <Select
              value={kind}
              label="From"
              choices={[
                ['prometheus', 'Metrics'],
                ['loki', 'Logs'],
                ['grafana', 'What people wrote'],
              ]}
              onChange={setKind}
            />
          </Row>
          {kind === 'grafana' ? (
            <>
              <Row label="Those">
                <Select value={target.type ?? 'dashboard'} choices={[['dashboard', 'Of this dashboard'], ['tags', 'With tags']]} onChange={(type) => setTarget({ type })} />
              </Row>
              {target.type === 'tags' && (
                <>
                  <Row label="Tags" hint="Separated by commas">
                    <TextInput value={(target.tags ?? []).join(', ')} onChange={(t) => setTarget({ tags: t.split(',').map((x) => x.trim()).filter(Boolean) })} />
                  </Row>
                  <label class="opt check">
                    <input type="checkbox" checked={target.matchAny === true} onChange={(e) => setTarget({ matchAny: e.currentTarget.checked })} /> Any of them is enough
                  </label>
                </>
              )}
              <Row label="At most">
                <NumberInput value={target.limit ?? 100} min={1} max={1000} onChange={(limit) => setTarget({ limit: limit ?? 100 })} />
              </Row>
            </>
          ) : (
            <>
              <Row label="Query">
                <TextInput value={exprOf(a)} label="Query" placeholder={kind === 'loki' ? '{app="deploy"} |= "released"' : 'changes(process_start_time_seconds[1m]) > 0'} onChange={(expr) => onChange({ ...a, expr, target: undefined })} />
              </Row>
              {kind === 'loki' && (
                <Row label="Lines at most">
                  <NumberInput value={Number(a['maxLines']) || 100} min={1} max={5000} onChange={(maxLines) => onChange({ ...a, maxLines })} />
                </Row>
              )}
              {kind === 'prometheus' && (
                <label class="opt check">
                  <input type="checkbox" checked={a.useValueForTime === true || a.useValueForTime === 'on'} onChange={(e) => onChange({ ...a, useValueForTime: e.currentTarget.checked })} /> The value is the time
                </label>
              )}
              <Row label="Title">
                <TextInput value={a.titleFormat ?? ''} placeholder="{{instance}}" onChange={(titleFormat) => onChange({ ...a, titleFormat })} />
              </Row>
              <Row label="Text">
                <TextInput value={a.textFormat ?? ''} placeholder="{{job}} restarted" onChange={(textFormat) => onChange({ ...a, textFormat })} />
              </Row>
              <Row label="Tags from labels" hint="Separated by commas">
                <TextInput value={a.tagKeys ?? ''} placeholder="job, instance" onChange={(tagKeys) => onChange({ ...a, tagKeys })} />
              </Row>
            </>
          )}
        </>
      )}
      <Row label="On">
        <Select
          value={where}
          choices={[
            ['all', 'All panels'],
            ['only', 'Only some'],
            ['but', 'All but some'],
          ]}
          onChange={(w) => setFilter(w === 'all' ? undefined : { exclude: w === 'but', ids: ids.length ? ids : panels.slice(0, 1).map((p) => p.id) })}
        />
      </Row>
      {where !== 'all' && (
        <span class="chips">
          {panels.map((p) => (
            <label class="check" key={p.id}>
              <input type="checkbox" checked={ids.includes(p.id)} onChange={(e) => setFilter({ exclude: where === 'but', ids: e.currentTarget.checked ? [...ids, p.id] : ids.filter((x) => x !== p.id) })} /> {p.title || `${p.type} ${p.id}`}
            </label>
          ))}
        </span>
      )}
      {!a.builtIn && acts}
    </details>
  );
}
