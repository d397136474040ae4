/** What every view gets: the model, the words, and a way to redraw when there is news. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useReducer } from 'react';
import type { HubModel } from './model';

export interface ViewProps {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
}

/** Redraw after each answer. */
export function useModel(model: HubModel): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const slot = () => {
      redraw();
    };
    model.changed.connect(slot);
    return () => {
      model.changed.disconnect(slot);
    };
  }, [model]);
}

/** The time, and a redraw every `every` milliseconds while the page is seen, so that "12 min ago" stays true. */
export function useNow(every: number): Date {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        redraw();
      }
    }, every);
    return () => {
      window.clearInterval(timer);
    };
  }, [every]);
  return new Date();
}
