// Live tail over Loki's WebSocket: lines as they arrive, with a bound on how many are kept.

import { logRows, newestFirst, type LogRow } from '../../dashboard/query/logs';
import type { LokiStream } from '../../dashboard/query/loki';

const KEEP = 5000;
const RETRY_MS = 5000;

export interface Tail {
  stop(): void;
  /** Forgets the lines so far. */
  clear(): void;
  /** All that are kept, newest first. */
  rows(): LogRow[];
}

/** Calls `on` with all kept lines, newest first; `say` with what the connection does. */
export function startTail(query: string, on: (rows: LogRow[]) => void, say: (state: 'open' | 'lost' | 'waiting', text: string) => void): Tail {
  let kept: LogRow[] = [];
  let stopped = false;
  let socket: WebSocket | null = null;
  let timer = 0;
  let frame = 0;
  let tries = 0;
  const connect = () => {
    const url = new URL('loki/loki/api/v1/tail', document.baseURI);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('query', query);
    url.searchParams.set('limit', '200');
    say('waiting', 'Connecting…');
    socket = new WebSocket(url);
    socket.onopen = () => {
      tries = 0;
      say('open', 'Live');
    };
    socket.onmessage = (e) => {
      let streams: LokiStream[];
      try {
        streams = (JSON.parse(String(e.data)) as { streams?: LokiStream[] }).streams ?? [];
      } catch {
        return;
      }
      kept = [...logRows(streams), ...kept].slice(0, KEEP);
      // Many lines a second are shown once a frame.
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        on(kept);
      });
    };
    socket.onclose = (e) => {
      if (stopped) return;
      if (e.code !== 1006 || ++tries > 30) return say('lost', e.reason || 'The server ended the live view.');
      say('waiting', 'The connection was lost; trying again.');
      timer = window.setTimeout(connect, RETRY_MS);
    };
  };
  connect();
  return {
    clear() {
      kept = [];
    },
    rows: () => kept,
    stop() {
      stopped = true;
      clearTimeout(timer);
      cancelAnimationFrame(frame);
      socket?.close();
    },
  };
}

/** Several queries as one live view; their states are those of the one that is worst off. */
export function startTails(queries: { refId: string; expr: string }[], on: (rows: LogRow[]) => void, say: (state: 'open' | 'lost' | 'waiting', text: string) => void): Tail {
  if (queries.length === 1) return startTail(queries[0]!.expr, on, say);
  const parts = queries.map(() => [] as LogRow[]);
  const states = queries.map(() => ['waiting', 'Connecting…'] as ['open' | 'lost' | 'waiting', string]);
  const merged = () => newestFirst(parts.flat()).slice(0, KEEP);
  const tails = queries.map((q, i) =>
    startTail(
      q.expr,
      (rows) => {
        parts[i] = rows.map((r) => ({ ...r, ref: q.refId }));
        on(merged());
      },
      (state, text) => {
        states[i] = [state, text];
        say(...(states.find((s) => s[0] === 'lost') ?? states.find((s) => s[0] === 'waiting') ?? states[0]!));
      },
    ),
  );
  return {
    clear() {
      for (const t of tails) t.clear();
      parts.forEach((_, i) => (parts[i] = []));
    },
    rows: merged,
    stop() {
      for (const t of tails) t.stop();
    },
  };
}
