// The icons, drawn for Pharos: 16×16, one stroke colour.

const PATHS = {
  logo: 'M6.2 6h3.6l.9 8H5.3zM6 6l.5-2.4h3L10 6M8 3.6V2M3.8 4.6 1.5 3.8M12.2 4.6l2.3-.8M4.2 14h7.6',
  host: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01M8 5h3M8 11h3',
  explore: 'M2.5 13.5v-11M2.5 13.5h11M5 10.5l2.5-3 2 1.8L13 4.5',
  status: 'M1.5 8h3l1.8-4.5 3 9L11.2 8h3.3',
  clock: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 4.8V8l2.2 1.5',
  refresh: 'M13.2 6.2A5.5 5.5 0 1 0 13.5 9M13.5 2.8v3.6h-3.6',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M12.8 3.2l-1.1 1.1M4.3 11.7l-1.1 1.1',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6z',
  down: 'm4 6 4 4 4-4',
  left: 'm10 3.5-4.5 4.5 4.5 4.5',
  right: 'M6 3.5 10.5 8 6 12.5',
  zoomout: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.4 10.4l3.1 3.1M5 7h4',
  info: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 7.4v3.4M8 5.2h.01',
  warn: 'M8 2.4 14.4 13.4H1.6zM8 6.6v3M8 11.4h.01',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  close: 'm4 4 8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.4 10.4l3.1 3.1',
  link: 'M6.6 9.4a2.6 2.6 0 0 0 3.8 0l2.3-2.3a2.7 2.7 0 0 0-3.8-3.8l-.8.8M9.4 6.6a2.6 2.6 0 0 0-3.8 0L3.3 8.9a2.7 2.7 0 0 0 3.8 3.8l.8-.8',
  download: 'M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.5 13.5h11',
  eye: 'M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6z',
  eyeoff: 'M2.5 2.5l11 11M6.3 4.1A6.6 6.6 0 0 1 8 3.8c4 0 6.5 4.2 6.5 4.2a11 11 0 0 1-2 2.4M4 5.3A11 11 0 0 0 1.5 8S4 12.2 8 12.2c.9 0 1.8-.2 2.5-.6',
  history: 'M2.6 6.2A5.6 5.6 0 1 1 2.4 9M2.4 2.8v3.6H6M8 5v3.2l2 1.3',
  book: 'M3 2.8h4.2c.5 0 .8.4.8.8v9.6c0-.6-.4-1-1-1H3zM13 2.8H8.8c-.5 0-.8.4-.8.8v9.6c0-.6.4-1 1-1h4z',
  play: 'M4.5 3v10l8-5z',
  help: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM6.2 6.3a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.6-.8 1.2M8 11.2h.01',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      class={`icon icon-${name}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
