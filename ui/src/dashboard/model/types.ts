// The classic dashboard JSON as Pharos works with it: the fields it reads. Objects keep whatever
// else they carry, so that saving and exporting lose nothing.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Loose = Record<string, unknown>;

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface DataSourceRef {
  type?: string;
  uid?: string;
}

export interface Target extends Loose {
  refId: string;
  datasource?: DataSourceRef | string | null;
  expr?: string;
  query?: string;
  legendFormat?: string;
  format?: string;
  instant?: boolean;
  range?: boolean;
  interval?: string;
  hide?: boolean;
}

export interface ThresholdStep {
  value: number | null;
  color: string;
}

export interface Thresholds {
  mode: 'absolute' | 'percentage';
  steps: ThresholdStep[];
}

export interface MappingResult {
  text?: string;
  color?: string;
  index?: number;
}

export interface ValueMapping {
  type: 'value' | 'range' | 'regex' | 'special';
  options: Loose;
}

export interface DataLink {
  title?: string;
  url?: string;
  targetBlank?: boolean;
}

export interface FieldConfig {
  unit?: string;
  decimals?: number | null;
  min?: number | null;
  max?: number | null;
  displayName?: string;
  /** Name that the query gave (legendFormat). */
  displayNameFromDS?: string;
  noValue?: string;
  description?: string;
  color?: { mode: string; fixedColor?: string; seriesBy?: string };
  thresholds?: Thresholds;
  mappings?: ValueMapping[];
  links?: DataLink[];
  filterable?: boolean;
  fieldMinMax?: boolean;
  custom?: Loose;
}

export interface Override {
  matcher: { id: string; options?: unknown };
  properties: { id: string; value?: unknown }[];
}

export interface FieldConfigSource {
  defaults: FieldConfig;
  overrides: Override[];
}

export interface Transformation {
  id: string;
  options?: Loose;
  disabled?: boolean;
  filter?: { id: string; options?: unknown };
}

export interface Panel extends Loose {
  id: number;
  type: string;
  title?: string;
  description?: string;
  transparent?: boolean;
  gridPos: GridPos;
  datasource?: DataSourceRef | string | null;
  targets?: Target[];
  interval?: string;
  maxDataPoints?: number | null;
  timeFrom?: string | null;
  timeShift?: string | null;
  hideTimeOverride?: boolean;
  transformations?: Transformation[];
  fieldConfig?: FieldConfigSource;
  options?: Loose;
  links?: DataLink[];
  repeat?: string | null;
  repeatDirection?: 'h' | 'v';
  maxPerRow?: number;
  collapsed?: boolean;
  /** Children of a collapsed row. */
  panels?: Panel[];
}

export interface VariableOption {
  text: string | string[];
  value: string | string[];
  selected?: boolean;
}

export interface VariableModel extends Loose {
  type: string;
  name: string;
  label?: string | null;
  description?: string;
  query?: unknown;
  definition?: string;
  datasource?: DataSourceRef | string | null;
  regex?: string;
  sort?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  current?: Partial<VariableOption>;
  options?: VariableOption[];
  refresh?: number;
  hide?: number;
  skipUrlSync?: boolean;
  auto?: boolean;
  auto_min?: string;
  auto_count?: number;
}

export interface AnnotationQuery extends Loose {
  name: string;
  enable?: boolean;
  hide?: boolean;
  iconColor?: string;
  datasource?: DataSourceRef | string | null;
  expr?: string;
  builtIn?: number;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  step?: string;
  useValueForTime?: boolean | string;
}

export interface DashboardLink extends Loose {
  title?: string;
  type?: 'link' | 'dashboards';
  url?: string;
  tags?: string[];
  asDropdown?: boolean;
  includeVars?: boolean;
  keepTime?: boolean;
  targetBlank?: boolean;
  tooltip?: string;
}

export interface Dashboard extends Loose {
  id?: number | null;
  uid?: string | null;
  title: string;
  description?: string;
  tags?: string[];
  timezone?: string;
  editable?: boolean;
  graphTooltip?: number;
  time?: { from: string; to: string };
  timepicker?: Loose;
  refresh?: string | false;
  schemaVersion?: number;
  version?: number;
  panels: Panel[];
  templating?: { list: VariableModel[] };
  annotations?: { list: AnnotationQuery[] };
  links?: DashboardLink[];
}
