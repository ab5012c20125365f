// The width an element has.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export function useBox(): { ref: { current: HTMLElement | null }; width: number } {
  const ref = useRef<HTMLElement>(null);
  const [width, set] = useState(0);
  useLayoutEffect(() => {
    const el = ref.current!;
    const read = () => set(el.clientWidth);
    read();
    const ro = new ResizeObserver(read);
    ro.observe(el);
    return () => ro.disconnect();
  }, []);
  return { ref, width };
}
