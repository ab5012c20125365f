// What a drawing is given, and how it is found.

import type { ComponentType } from 'preact';
import type { Frame } from '../frame/frame';
import type { Session } from '../model/session';
import type { Scoped } from '../model/repeat';
import type { Panel } from '../model/types';
import type { PanelData } from '../query/run';
import type { AnnotationEvent } from '../query/annotations';

/** A time and what values lie in it: above `low`, up to `high` (either may be infinite). */
export interface HeatCell {
  fromMs: number;
  toMs: number;
  low: number;
  high: number;
}

export interface PanelView {
  panel: Panel;
  /** As queried. */
  data: PanelData;
  /** Transformed, every column with its configuration. */
  frames: Frame[];
  width: number;
  height: number;
  session: Session;
  scoped: Scoped;
  /** Fills variables in a text. */
  fill: (text: string) => string;
  annotations: AnnotationEvent[];
  /** A cell of a heat map was clicked; absent where that leads nowhere. */
  onCell?: (c: HeatCell) => void;
}

export type PanelComponent = ComponentType<PanelView>;
