// The options of each transformation as a form: one row an option, read by TransformForm.

import type { Loose } from '../model/types';
import { CALC_CHOICES } from './schema';

export interface FormRow {
  /** Dotted path in the options. */
  path: string;
  label: string;
  kind:
    | 'text'
    | 'number'
    | 'bool'
    | 'select'
    | 'calcs'
    /** One column, or several. */
    | 'field'
    | 'fields'
    /** Texts without suggestions. */
    | 'texts'
    /** A query by its letter. */
    | 'query'
    /** A column or a number: {matcher} or {fixed}. */
    | 'operand'
    /** Rows of the same shape. */
    | 'list'
    /** Which columns: {id, options}. */
    | 'matcher';
  choices?: [string, string][];
  fallback?: unknown;
  hint?: string;
  /** Shown only then. */
  when?: (o: Loose) => boolean;
  /** Of a list. */
  rows?: FormRow[];
  fresh?: Loose;
}

const field = (path: string, label: string, more: Partial<FormRow> = {}): FormRow => ({ path, label, kind: 'field', ...more });
const text = (path: string, label: string, more: Partial<FormRow> = {}): FormRow => ({ path, label, kind: 'text', ...more });
const num = (path: string, label: string, fallback?: number, more: Partial<FormRow> = {}): FormRow => ({ path, label, kind: 'number', fallback, ...more });
const bool = (path: string, label: string, more: Partial<FormRow> = {}): FormRow => ({ path, label, kind: 'bool', ...more });
const pick = (path: string, label: string, choices: [string, string][], fallback: string, more: Partial<FormRow> = {}): FormRow => ({ path, label, kind: 'select', choices, fallback, ...more });
const calc = (path: string, label: string, fallback: string, more: Partial<FormRow> = {}): FormRow => pick(path, label, CALC_CHOICES, fallback, more);
const mode = (m: string) => (o: Loose) => (o['mode'] ?? 'reduceRow') === m;

const OPS: [string, string][] = ['+', '-', '*', '/', '**', '%', '==', '!=', '>', '>=', '<', '<='].map((o) => [o, o]);
const CONFIG_KEYS: [string, string][] = [
  ['field.name', 'Name of the column'],
  ['field.value', 'Its value'],
  ['unit', 'Unit'],
  ['min', 'Minimum'],
  ['max', 'Maximum'],
  ['decimals', 'Decimals'],
  ['displayName', 'Shown name'],
  ['threshold1', 'Threshold'],
  ['__ignore', 'Nothing'],
];
const VALUE_TESTS: [string, string][] = [
  ['greater', 'greater than'],
  ['greaterOrEqual', 'at least'],
  ['lower', 'less than'],
  ['lowerOrEqual', 'at most'],
  ['between', 'between'],
  ['equal', 'equal to'],
  ['notEqual', 'other than'],
  ['substring', 'containing'],
  ['notSubstring', 'not containing'],
  ['regex', 'matching'],
  ['isNull', 'null'],
  ['isNotNull', 'not null'],
];
const test = (...ids: string[]) => (o: Loose) => ids.includes(String((o['config'] as Loose | undefined)?.['id'] ?? ''));

/** `null` marks one whose form is drawn by its own component. */
export const TRANSFORM_FORMS: Record<string, FormRow[] | null> = {
  organize: null,
  groupBy: null,
  groupToNestedTable: null,
  timeSeriesTable: null,
  merge: [],
  concatenate: [],
  seriesToRows: [],
  joinByField: [field('byField', 'Column', { fallback: 'Time' }), pick('mode', 'Rows', [['outer', 'Of any table'], ['inner', 'That all tables have'], ['outerTabular', 'Of any table, as they are']], 'outer')],
  filterFieldsByName: [
    { path: 'include.names', label: 'Keep', kind: 'fields' },
    text('include.pattern', 'Keep by pattern', { hint: '/cpu.*/' }),
    { path: 'exclude.names', label: 'Drop', kind: 'fields' },
    text('exclude.pattern', 'Drop by pattern'),
  ],
  renameByRegex: [text('regex', 'Pattern', { hint: '/(.*)-exporter/' }), text('renamePattern', 'Becomes', { hint: '$1' })],
  calculateField: [
    pick('mode', 'How', [['reduceRow', 'Over the row'], ['binary', 'Of two'], ['unary', 'Of one'], ['cumulativeFunctions', 'Running'], ['windowFunctions', 'Over a window'], ['index', 'Number of the row']], 'reduceRow'),
    calc('reduce.reducer', 'Figure', 'sum', { when: mode('reduceRow') }),
    { path: 'reduce.include', label: 'Of', kind: 'fields', when: mode('reduceRow') },
    { path: 'binary.left', label: 'Left', kind: 'operand', when: mode('binary') },
    pick('binary.operator', 'Operator', OPS, '+', { when: mode('binary') }),
    { path: 'binary.right', label: 'Right', kind: 'operand', when: mode('binary') },
    pick('unary.operator', 'Function', ['abs', 'exp', 'ln', 'floor', 'ceil', 'round', 'percent'].map((f) => [f, f]), 'abs', { when: mode('unary') }),
    field('unary.fieldName', 'Of', { when: mode('unary') }),
    field('cumulative.field', 'Of', { when: mode('cumulativeFunctions') }),
    pick('cumulative.reducer', 'Figure', [['sum', 'Total'], ['mean', 'Mean']], 'sum', { when: mode('cumulativeFunctions') }),
    field('window.field', 'Of', { when: mode('windowFunctions') }),
    pick('window.reducer', 'Figure', [['mean', 'Mean'], ['stdDev', 'Std dev'], ['variance', 'Variance']], 'mean', { when: mode('windowFunctions') }),
    pick('window.windowAlignment', 'Window lies', [['trailing', 'Before'], ['centered', 'Around']], 'trailing', { when: mode('windowFunctions') }),
    pick('window.windowSizeMode', 'Size in', [['percentage', 'Parts of all rows'], ['fixed', 'Rows']], 'percentage', { when: mode('windowFunctions') }),
    num('window.windowSize', 'Size', 0.1, { when: mode('windowFunctions') }),
    bool('index.asPercentile', 'As a share', { when: mode('index') }),
    text('alias', 'Name'),
    bool('replaceFields', 'Drop the other columns'),
  ],
  reduce: [
    pick('mode', 'To', [['seriesToRows', 'A row each'], ['reduceFields', 'One row']], 'seriesToRows'),
    { path: 'reducers', label: 'Figures', kind: 'calcs', fallback: ['max'] },
    bool('includeTimeField', 'Times too', { when: (o) => o['mode'] === 'reduceFields' }),
    bool('labelsToFields', 'Labels as columns', { when: (o) => o['mode'] !== 'reduceFields' }),
  ],
  sortBy: [field('sort.0.field', 'Column'), bool('sort.0.desc', 'Falling')],
  labelsToFields: [pick('mode', 'To', [['columns', 'Columns'], ['rows', 'Rows']], 'columns'), { path: 'keepLabels', label: 'Labels', kind: 'texts', hint: 'all' }, text('valueLabel', 'Name of the value from', { when: (o) => o['mode'] !== 'rows' })],
  extractFields: [
    field('source', 'From'),
    pick('format', 'Written as', [['auto', 'Whatever it is'], ['json', 'JSON'], ['kvp', 'key=value'], ['regexp', 'By a pattern'], ['delimiter', 'A list']], 'auto'),
    text('regExp', 'Pattern', { hint: '/(?<name>.*)/', when: (o) => o['format'] === 'regexp' }),
    text('delimiter', 'Between', { fallback: ',', when: (o) => o['format'] === 'delimiter' }),
    { path: 'jsonPaths', label: 'Parts', kind: 'list', fresh: { path: '' }, rows: [text('path', 'Path', { hint: 'a.b[0]' }), text('alias', 'Name')], when: (o) => o['format'] !== 'regexp' && o['format'] !== 'delimiter' },
    bool('replace', 'Drop the other columns'),
    bool('keepTime', 'But keep the time', { when: (o) => o['replace'] === true }),
  ],
  filterByValue: [
    pick('type', 'Rows', [['include', 'Keep'], ['exclude', 'Drop']], 'include'),
    pick('match', 'When', [['any', 'Any holds'], ['all', 'All hold']], 'any'),
    {
      path: 'filters',
      label: 'Conditions',
      kind: 'list',
      fresh: { fieldName: '', config: { id: 'greater', options: { value: 0 } } },
      rows: [
        field('fieldName', 'Column'),
        pick('config.id', 'Is', VALUE_TESTS, 'greater'),
        text('config.options.value', 'What', { when: (o) => !test('isNull', 'isNotNull', 'between')(o) }),
        num('config.options.from', 'From', undefined, { when: test('between') }),
        num('config.options.to', 'To', undefined, { when: test('between') }),
      ],
    },
  ],
  filterByRefId: [{ path: 'include', label: 'Keep', kind: 'query', hint: 'A|B' }],
  convertFieldType: [
    {
      path: 'conversions',
      label: 'Columns',
      kind: 'list',
      fresh: { targetField: '', destinationType: 'number' },
      rows: [field('targetField', 'Column'), pick('destinationType', 'To', [['number', 'Number'], ['string', 'Text'], ['time', 'Time'], ['boolean', 'True or false'], ['enum', 'One of a few'], ['other', 'JSON']], 'number')],
    },
  ],
  prepareTimeSeries: [pick('format', 'As', [['wide', 'One wide table'], ['multi', 'A frame a series'], ['long', 'One long table']], 'wide')],
  groupingToMatrix: [field('columnField', 'Columns by', { fallback: 'Time' }), field('rowField', 'Rows by', { fallback: 'Time' }), field('valueField', 'Value', { fallback: 'Value' }), pick('emptyValue', 'Nothing is', [['null', 'Null'], ['zero', 'Zero'], ['empty', 'Empty']], 'null')],
  joinByLabels: [text('value', 'Columns by label'), { path: 'join', label: 'Rows by labels', kind: 'texts', hint: 'all others' }],
  limit: [num('limitField', 'Rows', 10)],
  transpose: [text('firstFieldName', 'Name of the first column', { hint: 'Field' })],
  rowsToFields: [{ path: 'mappings', label: 'Use', kind: 'list', fresh: { fieldName: '', handlerKey: 'field.name' }, rows: [field('fieldName', 'Column'), pick('handlerKey', 'As', CONFIG_KEYS, 'field.name')] }],
  partitionByValues: [{ path: 'fields', label: 'By', kind: 'fields' }, bool('keepFields', 'Keep those columns')],
  histogram: [num('bucketCount', 'Buckets', 30), num('bucketSize', 'Bucket size'), num('bucketOffset', 'Offset'), bool('combine', 'All columns together')],
  regression: [
    field('xFieldName', 'Across', { fallback: 'Time' }),
    field('yFieldName', 'Of'),
    pick('modelType', 'As', [['linear', 'A line'], ['polynomial', 'A polynomial']], 'linear'),
    pick('degree', 'Degree', ['2', '3', '4', '5'].map((d) => [d, d]), '2', { when: (o) => o['modelType'] === 'polynomial' }),
    num('predictionCount', 'Points', 100),
  ],
  smoothing: [num('resolution', 'Resolution', 100)],
  heatmap: [
    pick('xBuckets.mode', 'Columns by', [['size', 'Width'], ['count', 'Number']], 'size'),
    text('xBuckets.value', 'Columns', { hint: 'auto' }),
    pick('yBuckets.mode', 'Rows by', [['size', 'Height'], ['count', 'Number']], 'size'),
    text('yBuckets.value', 'Rows', { hint: 'auto' }),
    pick('yBuckets.scale.type', 'Rows lie', [['linear', 'Evenly'], ['log', 'By powers']], 'linear'),
    pick('yBuckets.scale.log', 'Of', [['2', '2'], ['10', '10']], '10', { when: (o) => ((o['yBuckets'] as Loose | undefined)?.['scale'] as Loose | undefined)?.['type'] === 'log' }),
  ],
  formatString: [
    field('stringField', 'Column'),
    pick('outputFormat', 'To', ['Upper Case', 'Lower Case', 'Sentence Case', 'Title Case', 'Pascal Case', 'Camel Case', 'Snake Case', 'Kebab Case', 'Trim', 'Substring'].map((f) => [f, f]), 'Upper Case'),
    num('substringStart', 'From', 0, { when: (o) => o['outputFormat'] === 'Substring' }),
    num('substringEnd', 'To', 100, { when: (o) => o['outputFormat'] === 'Substring' }),
  ],
  formatTime: [field('timeField', 'Column'), text('outputFormat', 'As', { hint: 'YYYY-MM-DD HH:mm' })],
  configFromData: [
    { path: 'configRefId', label: 'From query', kind: 'query' },
    { path: 'applyTo', label: 'For', kind: 'matcher' },
    { path: 'mappings', label: 'Use', kind: 'list', fresh: { fieldName: '', handlerKey: 'max' }, rows: [field('fieldName', 'Column'), pick('handlerKey', 'As', CONFIG_KEYS, 'max'), calc('reducerId', 'Figure', 'lastNotNull')] },
  ],
};
