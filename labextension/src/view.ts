/** What every view gets: the model, the words, and a way to redraw when there is news. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type RefObject, useEffect, useLayoutEffect, useReducer, useState } from 'react';
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

/** How wide an element is, in pixels, and a redraw when that changes; `first` before it is known. */
export function useWidth(box: RefObject<HTMLElement>, first: number): number {
  const [width, setWidth] = useState(first);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) {
      return undefined;
    }
    const watch = new ResizeObserver(() => {
      setWidth(element.clientWidth || first);
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
    };
  }, [box, first]);
  return width;
}
