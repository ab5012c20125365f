// Which series are hidden by clicks in the legend.

import { useState } from 'preact/hooks';

/** The hidden keys, and the function that a click calls: alone, or hide and show. */
export function useToggle(): [Set<string>, (key: string, only: boolean, all: string[]) => void] {
  const [hidden, set] = useState<Set<string>>(new Set());
  const toggle = (key: string, only: boolean, all: string[]) =>
    set((prev) => {
      if (only) {
        const shown = all.filter((k) => !prev.has(k));
        if (shown.length === 1 && shown[0] === key) return new Set();
        return new Set(all.filter((k) => k !== key));
      }
      const next = new Set(prev);
      if (!next.delete(key)) next.add(key);
      return next.size >= all.length ? new Set() : next;
    });
  return [hidden, toggle];
}
