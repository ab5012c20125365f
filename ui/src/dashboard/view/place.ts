// Finding one panel as it stands on the page: by its id, or by the key of a repeated copy.

import { allPanels } from '../model/ids';
import type { Placed } from '../model/repeat';
import { sections, type RepeatValues } from '../model/repeat';
import type { Session } from '../model/session';
import { ALL } from '../variables/store';

/** The values a variable repeats panels by: those picked, or all. */
export function repeatValues(s: Session): RepeatValues {
  return (name) => {
    const v = s.vars.state(name);
    if (!v) return null;
    const values = v.value[0] === ALL ? v.options.map((o) => o.value) : v.value;
    return values.slice(0, 100).map((x) => [x, v.options.find((o) => o.value === x)?.text ?? x]);
  };
}

export function placeOf(s: Session, key: string): Placed | null {
  const m = s.model.value;
  // Grafana 12 writes "panel-4" and "panel-4-clone-1".
  const id = key.replace(/^panel-/, '').replace(/-clone-\d+$/, '');
  for (const sec of sections(m.panels, repeatValues(s))) {
    const hit = sec.panels.find((p) => p.key === id);
    if (hit) return hit;
  }
  const p = allPanels(m.panels).find((x) => String(x.id) === id && x.type !== 'row');
  return p ? { key: id, panel: p, pos: p.gridPos, scoped: {}, copy: false } : null;
}
