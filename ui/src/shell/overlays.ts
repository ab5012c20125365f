// Which overlay is open; keys and buttons both set it.

import { signal } from '@preact/signals';

export type Overlay = 'help' | 'palette' | null;
export const overlay = signal<Overlay>(null);
/** Opens the time picker from the keyboard. */
export const timePickerOpen = signal(false);
