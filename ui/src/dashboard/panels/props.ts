// What a drawing is given, and how it is found.

import type { ComponentType } from 'preact';
import type { Frame } from '../frame/frame';
import type { Session } from '../model/session';
import type { Scoped } from '../model/repeat';
import type { Panel } from '../model/types';
import type { PanelData } from '../query/run';
import type { AnnotationEvent } from '../query/annotations';

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
}

export type PanelComponent = ComponentType<PanelView>;
