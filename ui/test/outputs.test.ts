import { describe, expect, it } from 'vitest';
import { diskText, droppedText, droppedTotal, outputState, type Output } from '../src/api/outputs';

const output = (more: Partial<Output>): Output => ({
  name: 'g', type: 'graphite', url: '', from: 'all', failing: false, last_error: '', last_failed_ms: 0, last_sent_ms: 0, queue_samples: 0,
  queue_bytes: 0, queue_bytes_max: 1, disk_error: '', sent_samples: 0, sent_bytes: 0, requests: 0, failed_requests: 0, dropped: {}, ...more,
});

describe('outputs on the status page', () => {
  it('says what the last try came to', () => {
    expect(outputState(output({}))[1]).toBe('nothing sent yet');
    expect(outputState(output({ last_sent_ms: 2 }))).toEqual(['good', 'sending']);
    expect(outputState(output({ last_sent_ms: 2, last_failed_ms: 1 }))[0]).toBe('good');
    expect(outputState(output({ last_sent_ms: 2, last_failed_ms: 3 }))).toEqual(['warn', 'refused']);
    expect(outputState(output({ last_sent_ms: 2, last_failed_ms: 3, failing: true }))[0]).toBe('bad');
  });
  it('names the reasons of what was given up', () => {
    const o = output({ dropped: { queue_full: 12, refused: 0, too_old: 3 } });
    expect(droppedTotal(o)).toBe(15);
    expect(droppedText(o)).toBe('queue_full 12, too_old 3');
    expect(droppedText(output({}))).toBe('');
  });
  it('says that what waits cannot be kept', () => {
    expect(diskText(output({}))).toBe('');
    expect(diskText(output({ disk_error: 'no space left' }))).toBe('What waits is in memory only: no space left');
  });
});
