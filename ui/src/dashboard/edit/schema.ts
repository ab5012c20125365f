// What the panel editor offers for each panel type: one row an option, read by PanelOptions.

import { REDUCERS } from '../field/reduce';

export interface OptionRow {
  /** Where it is kept: options.x.y or custom.x (field configuration). */
  path: string;
  label: string;
  kind: 'select' | 'bool' | 'number' | 'text' | 'area' | 'calcs' | 'unit';
  choices?: [value: string, label: string][];
  fallback?: unknown;
  /** A text that is the name of a column. */
  names?: boolean;
  /** Numbers only. */
  min?: number;
  max?: number;
}

export interface OptionGroup {
  title: string;
  rows: OptionRow[];
}

const pick = (path: string, label: string, choices: [string, string][], fallback: string): OptionRow => ({ path, label, kind: 'select', choices, fallback });
const bool = (path: string, label: string, fallback = false): OptionRow => ({ path, label, kind: 'bool', fallback });
const unit = (path: string, label: string, fallback?: string): OptionRow => ({ path, label, kind: 'unit', fallback });
const text = (path: string, label: string, names = false): OptionRow => ({ path, label, kind: 'text', names });
const num = (path: string, label: string, fallback?: number, min?: number, max?: number): OptionRow => ({ path, label, kind: 'number', fallback, min, max });
const plain = (...names: string[]): [string, string][] => names.map((n) => [n, n.charAt(0).toUpperCase() + n.slice(1)]);

export const CALC_CHOICES: [string, string][] = REDUCERS.map((r) => [r.id, r.name]);

const LEGEND: OptionGroup = {
  title: 'Legend',
  rows: [
    bool('options.legend.showLegend', 'Show', true),
    pick('options.legend.displayMode', 'As', plain('list', 'table'), 'list'),
    pick('options.legend.placement', 'Where', plain('bottom', 'right'), 'bottom'),
    { path: 'options.legend.calcs', label: 'Figures', kind: 'calcs' },
    text('options.legend.sortBy', 'Sorted by'),
    bool('options.legend.sortDesc', 'Falling'),
  ],
};
const TOOLTIP: OptionGroup = {
  title: 'Tooltip',
  rows: [pick('options.tooltip.mode', 'Shows', [['single', 'One series'], ['multi', 'All series'], ['none', 'Nothing']], 'single'), pick('options.tooltip.sort', 'Order', plain('none', 'asc', 'desc'), 'none'), bool('options.tooltip.hideZeros', 'Hide zeros')],
};
const REDUCE: OptionGroup = {
  title: 'Value',
  rows: [
    pick('options.reduceOptions.values', 'Show', [['false', 'One figure a series'], ['true', 'Every row']], 'false'),
    { path: 'options.reduceOptions.calcs.0', label: 'Figure', kind: 'select', choices: CALC_CHOICES, fallback: 'lastNotNull' },
    text('options.reduceOptions.fields', 'Columns', true),
    num('options.reduceOptions.limit', 'Rows at most'),
  ],
};
const ORIENTATION = pick('options.orientation', 'Orientation', plain('auto', 'horizontal', 'vertical'), 'auto');

const AXIS: OptionGroup = {
  title: 'Axis',
  rows: [
    pick('custom.axisPlacement', 'Side', plain('auto', 'left', 'right', 'hidden'), 'auto'),
    { path: 'custom.axisLabel', label: 'Label', kind: 'text' },
    num('custom.axisWidth', 'Width'),
    bool('custom.axisGridShow', 'Grid lines', true),
    pick('custom.axisColorMode', 'Colour', [['text', 'Of the text'], ['series', 'Of the series']], 'text'),
    num('custom.axisSoftMin', 'Soft minimum'),
    num('custom.axisSoftMax', 'Soft maximum'),
    bool('custom.axisCenteredZero', 'Zero in the middle'),
    pick('custom.scaleDistribution.type', 'Scale', [['linear', 'Linear'], ['log', 'Logarithmic'], ['symlog', 'Symmetric logarithmic']], 'linear'),
    num('custom.scaleDistribution.log', 'Logarithm to', 10, 2, 10),
  ],
};

const GROUPS: Record<string, OptionGroup[]> = {
  timeseries: [
    {
      title: 'Drawing',
      rows: [
        pick('custom.drawStyle', 'Style', plain('line', 'bars', 'points'), 'line'),
        pick('custom.lineInterpolation', 'Line', [['linear', 'Straight'], ['smooth', 'Smooth'], ['stepBefore', 'Step before'], ['stepAfter', 'Step after']], 'linear'),
        num('custom.lineWidth', 'Line width', 1, 0, 10),
        num('custom.fillOpacity', 'Fill', 0, 0, 100),
        pick('custom.gradientMode', 'Gradient', plain('none', 'opacity', 'hue', 'scheme'), 'none'),
        pick('custom.lineStyle.fill', 'Stroke', [['solid', 'Solid'], ['dash', 'Dashes'], ['dot', 'Dots']], 'solid'),
        pick('custom.showPoints', 'Points', plain('auto', 'always', 'never'), 'auto'),
        num('custom.pointSize', 'Point size', 5, 1, 40),
        bool('custom.spanNulls', 'Connect over gaps'),
        num('custom.insertNulls', 'Break after (ms)'),
        pick('custom.barAlignment', 'Bars stand', [['-1', 'Before'], ['0', 'Around'], ['1', 'After']], '0'),
        num('custom.barWidthFactor', 'Bar width', 0.6, 0.1, 1),
        num('custom.barMaxWidth', 'Bar width at most'),
        pick('custom.transform', 'Changed', [['', 'Not'], ['negative-Y', 'Below zero'], ['constant', 'To a constant']], ''),
        text('custom.fillBelowTo', 'Fill down to', true),
        pick('custom.stacking.mode', 'Stack', [['none', 'Off'], ['normal', 'Normal'], ['percent', 'Percent']], 'none'),
        text('custom.stacking.group', 'Stack group'),
        pick('custom.thresholdsStyle.mode', 'Thresholds', [['off', 'Off'], ['line', 'Lines'], ['dashed', 'Dashed lines'], ['area', 'Areas'], ['line+area', 'Lines and areas'], ['dashed+area', 'Dashed and areas']], 'off'),
      ],
    },
    AXIS,
    LEGEND,
    TOOLTIP,
  ],
  stat: [
    REDUCE,
    {
      title: 'Look',
      rows: [
        ORIENTATION,
        pick('options.textMode', 'Text', [['auto', 'Auto'], ['value', 'Value'], ['value_and_name', 'Value and name'], ['name', 'Name'], ['none', 'None']], 'auto'),
        pick('options.colorMode', 'Colour', [['value', 'Value'], ['background', 'Background, graded'], ['background_solid', 'Background'], ['none', 'None']], 'value'),
        pick('options.graphMode', 'Sparkline', plain('none', 'area', 'line'), 'area'),
        pick('options.justifyMode', 'Alignment', plain('auto', 'center'), 'auto'),
        bool('options.showPercentChange', 'Change in percent'),
        num('options.text.titleSize', 'Name size'),
        num('options.text.valueSize', 'Value size'),
      ],
    },
  ],
  gauge: [REDUCE, { title: 'Look', rows: [ORIENTATION, bool('options.showThresholdMarkers', 'Threshold ring', true), bool('options.showThresholdLabels', 'Threshold labels'), num('options.text.titleSize', 'Name size'), num('options.text.valueSize', 'Value size')] }],
  bargauge: [
    REDUCE,
    {
      title: 'Look',
      rows: [ORIENTATION, pick('options.displayMode', 'Bars', [['gradient', 'Graded'], ['lcd', 'Cells'], ['basic', 'Plain']], 'gradient'), pick('options.valueMode', 'Value', plain('color', 'text', 'hidden'), 'color'), pick('options.namePlacement', 'Names', plain('auto', 'top', 'left', 'hidden'), 'auto'), bool('options.showUnfilled', 'Show the rest', true)],
    },
  ],
  table: [
    { title: 'Table', rows: [bool('options.showHeader', 'Header', true), bool('options.footer.show', 'Footer'), { path: 'options.footer.reducer', label: 'Footer shows', kind: 'calcs' }, pick('options.cellHeight', 'Rows', [['sm', 'Small'], ['md', 'Medium'], ['lg', 'Large']], 'sm')] },
    { title: 'Cells', rows: [pick('custom.align', 'Alignment', plain('auto', 'left', 'center', 'right'), 'auto'), pick('custom.cellOptions.type', 'Cells', [['auto', 'Text'], ['color-text', 'Coloured text'], ['color-background', 'Coloured background'], ['gauge', 'Bar'], ['sparkline', 'Sparkline'], ['json-view', 'JSON'], ['data-links', 'Links'], ['pill', 'Pills']], 'auto'), num('custom.width', 'Width'), num('custom.minWidth', 'Width at least'), bool('custom.hidden', 'Hidden'), pick('custom.cellOptions.mode', 'Colour fills', [['basic', 'Plainly'], ['gradient', 'Graded'], ['lcd', 'As cells']], 'basic'), bool('custom.cellOptions.wrapText', 'Wrap text'), bool('custom.inspect', 'Can be opened')] },
  ],
  text: [{ title: 'Text', rows: [pick('options.mode', 'Kind', [['markdown', 'Markdown'], ['html', 'HTML'], ['code', 'Code']], 'markdown'), { path: 'options.content', label: 'Content', kind: 'area' }] }],
  piechart: [
    REDUCE,
    { title: 'Pie', rows: [pick('options.pieType', 'Shape', [['pie', 'Pie'], ['donut', 'Ring']], 'pie'), { path: 'options.displayLabels', label: 'On the slices', kind: 'calcs', choices: [['name', 'Name'], ['value', 'Value'], ['percent', 'Percent']] }, { path: 'options.legend.values', label: 'In the legend', kind: 'calcs', choices: [['value', 'Value'], ['percent', 'Percent']] }, pick('options.legend.placement', 'Legend', plain('bottom', 'right'), 'bottom'), bool('options.legend.showLegend', 'Show the legend', true)] },
  ],
  heatmap: [
    { title: 'Heat map', rows: [bool('options.calculate', 'Make buckets from the data'), pick('options.color.scheme', 'Colours', plain('Oranges', 'Blues', 'Greens', 'Reds', 'Greys', 'Purples', 'Spectral', 'Turbo', 'Viridis', 'Magma', 'Plasma', 'Inferno', 'Cividis'), 'Oranges'), bool('options.color.reverse', 'Reverse'), num('options.color.exponent', 'Exponent', 0.5), num('options.cellGap', 'Gap', 1, 0, 20), unit('options.yAxis.unit', 'Unit'), num('options.yAxis.min', 'Lowest'), num('options.yAxis.max', 'Highest'), num('options.filterValues.le', 'Leave out up to'), bool('options.legend.show', 'Scale', true), bool('options.tooltip.yHistogram', 'Histogram in the tooltip')] },
  ],
  histogram: [{ title: 'Histogram', rows: [num('options.bucketCount', 'Buckets', 30), num('options.bucketSize', 'Bucket size'), bool('options.combine', 'All series together')] }, LEGEND],
  barchart: [
    { title: 'Bars', rows: [ORIENTATION, pick('options.stacking', 'Stack', [['none', 'Off'], ['normal', 'Normal'], ['percent', 'Percent']], 'none'), pick('options.showValue', 'Values', plain('auto', 'always', 'never'), 'auto'), text('options.xField', 'Names from', true), text('options.colorByField', 'Colour by', true), num('options.xTickLabelRotation', 'Names turned by', 0, -90, 90), num('options.groupWidth', 'Group width', 0.7), num('options.barWidth', 'Bar width', 0.97)] },
    LEGEND,
  ],
  'state-timeline': [{ title: 'States', rows: [bool('options.mergeValues', 'Join equal neighbours', true), pick('options.showValue', 'Values', plain('auto', 'always', 'never'), 'auto'), num('options.rowHeight', 'Row height', 0.9, 0.1, 1)] }, LEGEND],
  'status-history': [{ title: 'States', rows: [pick('options.showValue', 'Values', plain('auto', 'always', 'never'), 'auto'), num('options.rowHeight', 'Row height', 0.9, 0.1, 1), num('options.colWidth', 'Column width', 0.9, 0.1, 1)] }, LEGEND],
  logs: [{ title: 'Logs', rows: [bool('options.showTime', 'Time', true), bool('options.showLabels', 'Labels'), bool('options.wrapLogMessage', 'Wrap lines'), bool('options.prettifyLogMessage', 'Indent JSON'), bool('options.enableLogDetails', 'Details on click', true), pick('options.sortOrder', 'Order', [['Descending', 'Newest first'], ['Ascending', 'Oldest first']], 'Descending'), pick('options.dedupStrategy', 'Duplicates', [['none', 'Keep'], ['exact', 'Exact'], ['numbers', 'But for numbers'], ['signature', 'By shape']], 'none')] }],
  dashlist: [{ title: 'List', rows: [bool('options.showStarred', 'Starred', true), bool('options.showRecentlyViewed', 'Opened lately'), bool('options.showSearch', 'Found by'), { path: 'options.query', label: 'Words', kind: 'text' }, num('options.maxItems', 'At most', 10), bool('options.showHeadings', 'Headings', true), bool('options.keepTime', 'Keep the time range'), bool('options.includeVars', 'Keep variables')] }],
  alertlist: [{ title: 'List', rows: [num('options.maxItems', 'At most', 20), { path: 'options.alertInstanceLabelFilter', label: 'Labels', kind: 'text' }, { path: 'options.alertName', label: 'Name', kind: 'text' }, pick('options.viewMode', 'As', plain('list', 'stat'), 'list')] }],
  annolist: [{ title: 'List', rows: [num('options.limit', 'At most', 10), bool('options.onlyFromThisDashboard', 'Of this dashboard only'), bool('options.showTags', 'Tags', true), bool('options.showTime', 'Time', true)] }],
  traces: [],
  flamegraph: [{ title: 'Flame graph', rows: [pick('options.selectedView', 'Shows', [['both', 'List and flames'], ['flame', 'Flames'], ['top', 'List']], 'both')] }],
  xychart: [
    {
      title: 'Points',
      rows: [
        pick('options.mapping', 'Columns', [['auto', 'The first against the others'], ['manual', 'As given here']], 'auto'),
        text('options.series.0.x.matcher.options', 'Across', true),
        text('options.series.0.y.matcher.options', 'Up', true),
        text('options.series.0.size.matcher.options', 'Size by', true),
        text('options.series.0.color.matcher.options', 'Colour by', true),
        pick('custom.show', 'Draw', [['points', 'Points'], ['lines', 'Lines'], ['points+lines', 'Both']], 'points'),
        num('custom.pointSize.fixed', 'Point size', 5, 1, 100),
        num('custom.pointSize.min', 'Least size', 4, 1, 100),
        num('custom.pointSize.max', 'Greatest size', 40, 1, 100),
        pick('custom.pointShape', 'Shape', [['circle', 'Circle'], ['square', 'Square']], 'circle'),
        num('custom.fillOpacity', 'Fill', 50, 0, 100),
        num('custom.lineWidth', 'Line width', 1, 0, 10),
        text('custom.axisLabel', 'Axis label'),
        pick('custom.scaleDistribution.type', 'Scale', [['linear', 'Linear'], ['log', 'Logarithmic']], 'linear'),
      ],
    },
    LEGEND,
  ],
  nodeGraph: [{ title: 'Graph', rows: [pick('options.layoutAlgorithm', 'Arranged', [['layered', 'In layers'], ['grid', 'As a grid']], 'layered')] }],
};
GROUPS['trend'] = GROUPS['timeseries']!;

export function optionGroups(type: string): OptionGroup[] {
  return GROUPS[type] ?? [];
}

/** Types whose columns have units, limits, thresholds and colours. */
export const WITH_FIELDS = new Set(['timeseries', 'trend', 'stat', 'gauge', 'bargauge', 'table', 'piechart', 'histogram', 'barchart', 'state-timeline', 'status-history', 'xychart', 'heatmap']);

export const COLOR_MODES: [string, string][] = [
  ['palette-classic', 'Palette by series'],
  ['palette-classic-by-name', 'Palette by name'],
  ['thresholds', 'By thresholds'],
  ['fixed', 'One colour'],
  ['shades', 'Shades of one colour'],
  ['continuous-GrYlRd', 'Green, yellow, red'],
  ['continuous-RdYlGr', 'Red, yellow, green'],
  ['continuous-BlYlRd', 'Blue, yellow, red'],
  ['continuous-BlPu', 'Blue, purple'],
  ['continuous-viridis', 'Viridis'],
  ['continuous-magma', 'Magma'],
  ['continuous-plasma', 'Plasma'],
  ['continuous-inferno', 'Inferno'],
  ['continuous-cividis', 'Cividis'],
  ['continuous-YlRd', 'Yellow, red'],
  ['continuous-YlBl', 'Yellow, blue'],
  ['continuous-blues', 'Blues'],
  ['continuous-reds', 'Reds'],
  ['continuous-greens', 'Greens'],
  ['continuous-purples', 'Purples'],
];


/** Value at a dotted path. */
export function getAt(o: unknown, path: string): unknown {
  let at = o;
  for (const k of path.split('.')) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string, unknown>)[k];
  }
  return at;
}

/** A copy with the value at the path set; undefined removes it. */
export function setAt<T>(o: T, path: string, value: unknown): T {
  const [k, ...rest] = path.split('.');
  const list = Array.isArray(o) || (o === undefined && /^\d+$/.test(k!));
  const copy = (list ? [...((o as unknown[]) ?? [])] : { ...(o as object) }) as Record<string, unknown>;
  if (rest.length) copy[k!] = setAt(copy[k!], rest.join('.'), value);
  else if (value === undefined && !list) delete copy[k!];
  else copy[k!] = value;
  return copy as T;
}
