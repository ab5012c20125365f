// The node graph panel: services and who calls whom, or any frames with nodes and edges.

import { useMemo, useState } from 'preact/hooks';
import { NodeGraph } from '../../graph/NodeGraph';
import { theme } from '../../shell/theme';
import { toGraph } from './nodes';
import type { PanelView } from './props';

export default function NodeGraphPanel(p: PanelView) {
  const dark = theme.value;
  const [grid, setGrid] = useState(p.panel.options?.['layoutAlgorithm'] === 'grid');
  const g = useMemo(() => toGraph(p.frames, p.fill), [p.frames, p.fill, dark]);
  if (g.nodes.length === 0) return <div class="empty">The result has neither nodes (a column “id”) nor edges (columns “source” and “target”).</div>;
  return (
    <NodeGraph
      nodes={g.nodes}
      edges={g.edges}
      width={p.width}
      height={p.height}
      label={p.panel.title || 'Node graph'}
      arrangement={grid ? 'grid' : 'layered'}
      tools={
        <button type="button" class="btn small" aria-pressed={grid} onClick={() => setGrid(!grid)}>
          Grid
        </button>
      }
    />
  );
}
