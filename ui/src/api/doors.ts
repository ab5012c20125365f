// Which kinds of data this server has a door for, by the types of its data sources.

import { signal } from '@preact/signals';
import { getJson } from './prom';

export const doors = signal<ReadonlySet<string>>(new Set(['prometheus']));

export async function loadDoors(): Promise<void> {
  try {
    const list = await getJson<{ type?: string }[]>('api/datasources');
    if (Array.isArray(list)) doors.value = new Set(list.map((d) => String(d.type ?? '')));
  } catch {
    // An older server, or none at all: what is known stays.
  }
}
