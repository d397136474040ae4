/** Tabs above a log, one for each attempt of the job. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX, KeyboardEvent } from 'react';

export interface LogTab {
  readonly id: string;
  readonly label: string;
}

interface TabsProps {
  readonly tabs: readonly LogTab[];
  readonly chosen: string;
  readonly choose: (id: string) => void;
  /** The id of the element that shows what is chosen. */
  readonly body: string;
  readonly trans: Pick<TranslationBundle, '__'>;
}

/** Nothing for fewer than two. */
export function LogTabs({ tabs, chosen, choose, body, trans }: TabsProps): JSX.Element | null {
  if (tabs.length < 2) {
    return null;
  }
  const at = tabs.findIndex(tab => tab.id === chosen);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const last = tabs.length - 1;
    const places: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
    const to = tabs[Math.min(last, Math.max(0, places[event.key] ?? at))];
    if (event.key in places && to !== undefined) {
      event.preventDefault();
      choose(to.id);
      event.currentTarget.querySelector<HTMLElement>(`[data-tab="${to.id}"]`)?.focus();
    }
  };
  return (
    <div className="aif-Log-tabs" role="tablist" aria-label={trans.__('Attempts')} onKeyDown={onKeyDown}>
      {tabs.map(({ id, label }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`${body}${id}`}
          data-tab={id}
          aria-selected={id === chosen}
          aria-controls={body}
          tabIndex={id === chosen ? 0 : -1}
          onClick={() => {
            choose(id);
          }}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
