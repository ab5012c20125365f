// Which kinds of data this server has a door for, by the types of its data sources.

import { signal } from '@preact/signals';
import { getJson } from './prom';

export const doors = signal<ReadonlySet<string>>(new Set(['prometheus']));

/** Types of data sources by their uids and names, provisioned ones too. */
export const sourceTypes = signal<ReadonlyMap<string, string>>(new Map());

interface Source {
  type?: string;
  uid?: string;
  name?: string;
}

export async function loadDoors(): Promise<void> {
  try {
    const list = await getJson<Source[]>('api/datasources');
    if (!Array.isArray(list)) return;
    doors.value = new Set(list.map((d) => String(d.type ?? '')));
    sourceTypes.value = new Map(list.flatMap((d) => [d.name, d.uid].filter(Boolean).map((key) => [String(key), String(d.type ?? '')] as const)));
  } catch {
    // An older server, or none at all: what is known stays.
  }
}
