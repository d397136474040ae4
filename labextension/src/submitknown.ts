/** What the form is made of. */

import { useCallback, useEffect, useRef, useState } from 'react';
import { Offline } from './errors';
import type { OpenApi } from './schema';
import type { SubmitOptions } from './submitview';
import type { Menu, Subject } from './types';

export interface Known {
  readonly subject: Subject;
  readonly menu: Menu;
  readonly description: OpenApi;
}

/** Reads what the form is made of; again when it could not be had. */
export function useKnown({ model, path, save }: SubmitOptions): readonly [Known | null, unknown, () => void] {
  const [known, setKnown] = useState<Known | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  const first = useRef(save);
  const again = useCallback(() => {
    setRound(count => count + 1);
  }, []);
  useEffect(() => {
    let gone = false;
    let timer = 0;
    const read = async () => {
      await first.current();
      const tenant = model.overview?.here.tenant ?? (await model.api.overview(null)).here.tenant ?? '';
      const [subject, menu, description] = await Promise.all([
        model.api.inspect(path),
        model.api.menu(tenant),
        model.api.description()
      ]);
      return { subject, menu, description };
    };
    read()
      .then(found => {
        if (!gone) {
          setKnown(found);
          setTrouble(null);
        }
      })
      .catch((error: unknown) => {
        if (!gone) {
          setTrouble(error);
          if (error instanceof Offline) {
            timer = window.setTimeout(again, 5_000);
          }
        }
      });
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [model, path, round, again]);
  return [known, trouble, again];
}
