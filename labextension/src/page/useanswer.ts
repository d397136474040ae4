/** One question to the service, asked again now and then while the page is seen. */

import { useCallback, useEffect, useRef, useState } from 'react';

export interface Answer<T> {
  /** The last answer; null before the first. What was known stays while there is trouble. */
  readonly value: T | null;
  /** Why there is no news; null while there is. */
  readonly trouble: unknown;
  readonly again: () => void;
}

/** `ask` has to stay the same function as long as the question does; `every` in milliseconds, null for once. */
export function useAnswer<T>(ask: () => Promise<T>, every: number | null = null): Answer<T> {
  const [value, setValue] = useState<{ readonly of: () => Promise<T>; readonly said: T } | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const current = useRef(ask);
  const again = useCallback(() => {
    ask().then(
      said => {
        if (current.current === ask) {
          setValue({ of: ask, said });
          setTrouble(null);
        }
      },
      (error: unknown) => {
        if (current.current === ask) {
          setTrouble(error);
        }
      }
    );
  }, [ask]);
  useEffect(() => {
    current.current = ask;
    setTrouble(null);
    again();
    if (every === null) {
      return undefined;
    }
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        again();
      }
    }, every);
    return () => {
      window.clearInterval(timer);
    };
  }, [ask, again, every]);
  return { value: value?.of === ask ? value.said : null, trouble, again };
}
