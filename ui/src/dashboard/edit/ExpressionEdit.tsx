// The form of a server-side expression among a panel's queries.

import type { Loose, Target } from '../model/types';
import { NumberInput, Select, TextInput } from './controls';

const KINDS: [string, string][] = [
  ['math', 'Math'],
  ['reduce', 'Reduce'],
  ['resample', 'Resample'],
  ['threshold', 'Threshold'],
];
const REDUCERS: [string, string][] = [
  ['last', 'Last'],
  ['mean', 'Mean'],
  ['median', 'Median'],
  ['min', 'Min'],
  ['max', 'Max'],
  ['sum', 'Sum'],
  ['count', 'Count'],
];
const MODES: [string, string][] = [
  ['', 'Makes it no number'],
  ['dropNN', 'Is left out'],
  ['replaceNN', 'Becomes'],
];
const UP: [string, string][] = [
  ['fillna', 'Empty'],
  ['pad', 'The one before'],
  ['backfilling', 'The one after'],
];
const TESTS: [string, string][] = [
  ['gt', 'is above'],
  ['gte', 'is at least'],
  ['lt', 'is below'],
  ['lte', 'is at most'],
  ['eq', 'is'],
  ['ne', 'is not'],
  ['within_range', 'lies between'],
  ['outside_range', 'lies outside'],
];

interface Evaluator {
  type: string;
  params: number[];
}

export function ExpressionEdit({ t, others, onChange }: { t: Target; others: string[]; onChange: (t: Target) => void }) {
  const type = String(t['type'] ?? 'math');
  const kinds = KINDS.some(([k]) => k === type) ? KINDS : [...KINDS, [type, type] as [string, string]];
  const settings = (t['settings'] ?? {}) as Loose;
  const input = String(t['expression'] ?? '');
  const condition = (Array.isArray(t['conditions']) ? (t['conditions'][0] as Loose | undefined) : undefined) ?? {};
  const e = (condition['evaluator'] ?? { type: 'gt', params: [0] }) as Evaluator;
  const setTest = (next: Evaluator) => onChange({ ...t, conditions: [{ ...condition, evaluator: next }] });
  const range = e.type.endsWith('range');
  const of = (
    <label>
      Of{' '}
      <Select label={`Input of ${t.refId}`} value={input} choices={[...(others.includes(input) ? [] : [[input, input || 'Pick…'] as [string, string]]), ...others.map((r): [string, string] => [r, r])]} onChange={(v) => onChange({ ...t, expression: v })} />
    </label>
  );
  return (
    <div class="pe-query-opts" data-expression={type}>
      <label>
        Kind <Select label={`Kind of ${t.refId}`} value={type} choices={kinds} onChange={(v) => onChange({ ...t, type: v, expression: v === 'math' || type === 'math' ? '' : input })} />
      </label>
      {type === 'math' && (
        <label class="grow">
          Expression <TextInput value={input} label={`Expression ${t.refId}`} placeholder={`$${others[0] ?? 'A'} * 100`} onChange={(v) => onChange({ ...t, expression: v })} />
        </label>
      )}
      {type !== 'math' && type !== 'classic_conditions' && of}
      {type === 'reduce' && (
        <>
          <label>
            To <Select value={String(t['reducer'] ?? 'mean')} choices={REDUCERS} onChange={(v) => onChange({ ...t, reducer: v })} />
          </label>
          <label>
            What is no number <Select value={String(settings['mode'] ?? '')} choices={MODES} onChange={(v) => onChange({ ...t, settings: { ...settings, mode: v } })} />
          </label>
          {settings['mode'] === 'replaceNN' && <NumberInput value={Number(settings['replaceWithValue'] ?? 0)} onChange={(v) => onChange({ ...t, settings: { ...settings, replaceWithValue: v ?? 0 } })} />}
        </>
      )}
      {type === 'resample' && (
        <>
          <label>
            To every <TextInput value={String(t['window'] ?? '')} placeholder="1m" onChange={(v) => onChange({ ...t, window: v })} />
          </label>
          <label>
            Several become their <Select value={String(t['downsampler'] ?? 'mean')} choices={REDUCERS.filter(([r]) => r !== 'count' && r !== 'median')} onChange={(v) => onChange({ ...t, downsampler: v })} />
          </label>
          <label>
            None becomes <Select value={String(t['upsampler'] ?? 'fillna')} choices={UP} onChange={(v) => onChange({ ...t, upsampler: v })} />
          </label>
        </>
      )}
      {type === 'threshold' && (
        <>
          <label>
            1 when it <Select value={e.type} choices={TESTS.some(([k]) => k === e.type) ? TESTS : [...TESTS, [e.type, e.type]]} onChange={(v) => setTest({ type: v, params: v.endsWith('range') ? [e.params[0] ?? 0, e.params[1] ?? 0] : [e.params[0] ?? 0] })} />
          </label>
          <NumberInput value={e.params[0]} onChange={(v) => setTest({ ...e, params: [v ?? 0, ...e.params.slice(1)] })} />
          {range && <NumberInput value={e.params[1]} onChange={(v) => setTest({ ...e, params: [e.params[0] ?? 0, v ?? 0] })} />}
        </>
      )}
    </div>
  );
}
