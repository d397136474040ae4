/**
 * What a job has printed: to be read, followed, searched and saved.
 *
 * Everything comes by its properties, so that any page can show it: nothing here knows JupyterLab or the service.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, type KeyboardEvent, useDeferredValue, useId, useMemo, useRef, useState } from 'react';
import type { LogRow } from './log';
import { LogFind } from './logfind';
import { LogRows } from './logrows';
import { firstFrom, type Match, search, stepped } from './logsearch';
import { LogTabs, type LogTab } from './logtabs';

export interface LogViewProps {
  readonly rows: readonly LogRow[];
  readonly title: string;
  /** What is said in place of rows where there are none. */
  readonly empty: string;
  /** One for each attempt; nothing is drawn for fewer than two. */
  readonly tabs: readonly LogTab[];
  readonly chosen: string;
  readonly choose: (id: string) => void;
  /** From a part of the log to the whole of it; null where the whole is shown. */
  readonly back: { readonly label: string; readonly show: () => void } | null;
  /** Where the browser gets all that was printed. */
  readonly download: { readonly address: string; readonly name: string };
  readonly trans: Pick<TranslationBundle, '__' | '_n'>;
}

export function LogView(props: LogViewProps): JSX.Element {
  const { rows, title, empty, tabs, chosen, choose, back, trans } = props;
  const [follow, setFollow] = useState(true);
  const [wrap, setWrap] = useState(true);
  const field = useRef<HTMLInputElement>(null);
  const firstSeen = useRef(0);
  const found = useFound(rows, firstSeen, () => {
    setFollow(false);
  });
  const body = useId();
  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key === 'f') {
      event.preventDefault();
      event.stopPropagation();
      field.current?.select();
    }
  };
  return (
    <section className="aif-Log jp-RenderedText" aria-label={trans.__('Log')} onKeyDown={onKeyDown}>
      <div className="aif-Log-head">
        <h2>{title}</h2>
        {back === null ? null : (
          <button type="button" className="aif-Link" onClick={back.show}>
            {back.label}
          </button>
        )}
      </div>
      <LogTabs tabs={tabs} chosen={chosen} choose={choose} body={body} trans={trans} />
      <div className="aif-Log-tools" role="toolbar" aria-label={trans.__('Log tools')}>
        <LogFind field={field} {...found} trans={trans} />
        <Switch
          name={trans.__('Follow')}
          about={trans.__('Keep the end in sight')}
          on={follow}
          set={setFollow}
        />
        <Switch name={trans.__('Wrap')} about={trans.__('Break long lines')} on={wrap} set={setWrap} />
        <a className="aif-Link" href={props.download.address} download={props.download.name}>
          {trans.__('Download')}
        </a>
      </div>
      <div
        id={body}
        role={tabs.length > 1 ? 'tabpanel' : undefined}
        aria-labelledby={tabId(body, tabs, chosen)}
      >
        <LogRows
          rows={rows}
          label={trans.__('What the job has printed')}
          empty={empty}
          wrap={wrap}
          follow={follow}
          setFollow={setFollow}
          matches={found.matches}
          current={found.matches[found.index] ?? null}
          firstSeen={firstSeen}
        />
      </div>
    </section>
  );
}

function tabId(body: string, tabs: readonly LogTab[], chosen: string): string | undefined {
  return tabs.length > 1 ? `${body}${chosen}` : undefined;
}

interface Found {
  readonly text: string;
  readonly matches: readonly Match[];
  /** Of the match that is looked at; -1 for none. */
  readonly index: number;
  readonly setText: (text: string) => void;
  readonly step: (by: 1 | -1) => void;
}

/** What is searched for and where it is; `moved` is called when another match is looked at. */
function useFound(rows: readonly LogRow[], firstSeen: { current: number }, moved: () => void): Found {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<number | null>(null);
  // A log that grows while somebody types is searched when there is time.
  const [wanted, among] = [useDeferredValue(text), useDeferredValue(rows)];
  const matches = useMemo(() => search(among, wanted), [among, wanted]);
  const from = useRef(0);
  const index = chosen === null ? firstFrom(matches, from.current) : Math.min(chosen, matches.length - 1);
  return {
    text,
    matches,
    index,
    setText: typed => {
      from.current = matches[index]?.row ?? firstSeen.current;
      setChosen(null);
      setText(typed);
      moved();
    },
    step: by => {
      setChosen(stepped(index, by, matches.length));
      moved();
    }
  };
}

interface SwitchProps {
  readonly name: string;
  readonly about: string;
  readonly on: boolean;
  readonly set: (on: boolean) => void;
}

function Switch({ name, about, on, set }: SwitchProps): JSX.Element {
  return (
    <button
      type="button"
      className="aif-Switch"
      title={about}
      aria-pressed={on}
      onClick={() => {
        set(!on);
      }}
    >
      {name}
    </button>
  );
}
