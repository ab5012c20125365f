// Durations as traces show them.

import { format } from '../format/units';

export const nsText = (ns: number): string => format(ns, 'ns');
