/** The team's schedules as they are now: asked for while they are seen. */

import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { Api } from './api';
import type { Schedule } from './types';

/** Milliseconds. */
const EVERY = 30_000;

export interface ScheduleList {
  /** Of the element that shows them: while it is out of sight, nothing is asked. */
  readonly box: RefObject<HTMLDivElement>;
  /** The newest first; null before the first answer. */
  readonly schedules: readonly Schedule[] | null;
  /** Whether there are older ones. */
  readonly more: boolean;
  readonly showMore: () => void;
  /** What is wrong now; null when all is well. */
  readonly trouble: unknown;
  readonly refresh: () => Promise<void>;
}

export function useSchedules(api: Api): ScheduleList {
  const box = useRef<HTMLDivElement>(null);
  const [pages, setPages] = useState(1);
  const [found, setFound] = useState<Read | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const refresh = useCallback(async () => {
    try {
      setFound(await read(api, pages));
      setTrouble(null);
    } catch (error) {
      setTrouble(error);
    }
  }, [api, pages]);
  useEffect(() => {
    let seen = false;
    // It tells at once whether the list is in sight, and when its tab comes to the front again.
    const watch = new IntersectionObserver(entries => {
      seen = entries.some(entry => entry.isIntersecting);
      if (seen) {
        void refresh();
      }
    });
    if (box.current !== null) {
      watch.observe(box.current);
    }
    const timer = window.setInterval(() => {
      if (!document.hidden && seen) {
        void refresh();
      }
    }, EVERY);
    return () => {
      watch.disconnect();
      window.clearInterval(timer);
    };
  }, [refresh]);
  return {
    box,
    schedules: found?.schedules ?? null,
    more: found?.more ?? false,
    showMore: () => {
      setPages(count => count + 1);
    },
    trouble,
    refresh
  };
}

interface Read {
  readonly schedules: readonly Schedule[];
  readonly more: boolean;
}

async function read(api: Api, pages: number): Promise<Read> {
  const schedules: Schedule[] = [];
  let before: string | null = null;
  for (let page = 0; page < pages; page += 1) {
    const answer = await api.schedules(before);
    schedules.push(...answer.schedules);
    before = answer.next;
    if (before === null) {
      break;
    }
  }
  return { schedules, more: before !== null };
}
