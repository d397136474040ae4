/** One model: where its aliases lead, its versions, and what can be done about them. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback, useId, useState } from 'react';
import { bytes, momentIn } from '../format';
import { printable } from '../printable';
import { Answered, words } from './answered';
import { LineageView } from './lineageview';
import { ModelCompare } from './modelcompare';
import {
  type Alias,
  badge,
  chips,
  type ModelDetail,
  type Moved,
  type Verification,
  type Version
} from './models';
import type { PageApi } from './pageapi';
import { jobAddress } from './place';
import { type Question, QuestionBox } from './question';
import { useAnswer } from './useanswer';

/** Characters of a reason; the service takes no more. */
const LONGEST_REASON = 1000;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

interface ModelProps {
  readonly api: PageApi;
  readonly prefix: string;
  readonly tenant: string;
  readonly name: string;
  readonly trans: TranslationBundle;
}

export function ModelView(props: ModelProps): JSX.Element {
  const { api, tenant, name, trans } = props;
  const detail = useAnswer(useCallback(() => api.model(tenant, name), [api, tenant, name]));
  return (
    <section aria-labelledby="aif-model">
      <h2 id="aif-model">{printable(name)}</h2>
      <Answered answer={detail} trans={trans}>
        {found => <Shown {...props} detail={found} again={detail.again} />}
      </Answered>
    </section>
  );
}

interface ShownProps extends ModelProps {
  readonly detail: ModelDetail;
  readonly again: () => void;
}

function Shown(props: ShownProps): JSX.Element {
  const { api, prefix, tenant, name, detail, again, trans } = props;
  const [question, setQuestion] = useState<Question | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const [looked, setLooked] = useState<Readonly<Record<number, Verification>>>({});
  const [chosen, setChosen] = useState<readonly number[]>([]);
  const [alias, setAlias] = useState('prod');
  const field = useId();
  const [lineage, setLineage] = useState<string | null>(null);
  const tell = (doing: Promise<string>) => {
    setSaid(trans.__('Looking at every byte…'));
    doing
      .then(setSaid, (error: unknown) => {
        setSaid(words(error, trans));
      })
      .finally(again);
  };
  const ask = (title: string, more: string, act: (reason: string) => Promise<string>) => {
    setQuestion({
      words: title,
      more,
      yes: title.replace(/\?$/, ''),
      no: trans.__('Leave it'),
      word: { label: trans.__('Why'), longest: LONGEST_REASON },
      answer: (yes, reason) => {
        setQuestion(null);
        if (yes) {
          tell(act(reason));
        }
      }
    });
  };
  const promote = (version: Version) => {
    ask(
      trans.__('Promote version %1 to %2?', String(version.version), alias),
      trans.__('Every byte, the signatures and where it comes from are looked at first.'),
      async reason => movedWords(name, await api.promote(tenant, name, alias, version.version, reason), trans)
    );
  };
  const verify = (version: Version) => {
    tell(
      api.verify(tenant, name, version.version).then(found => {
        setLooked(before => ({ ...before, [version.version]: found }));
        return found.ok
          ? trans.__('Version %1 is what was registered.', String(version.version))
          : found.troubles.map(each => printable(each.message)).join('; ');
      })
    );
  };
  const choose = (number: number) => {
    setChosen(before =>
      before.includes(number) ? before.filter(each => each !== number) : [...before, number].slice(-2)
    );
  };
  const [first, second] = [...chosen].sort((a, b) => a - b);
  return (
    <>
      <p role="status" className="aif-Quiet">
        {said}
      </p>
      <Aliases {...{ api, tenant, name, ask, tell, trans }} aliases={detail.model.aliases} />
      <div className="aif-Month">
        <label htmlFor={field}>{trans.__('Promote to the alias')}</label>{' '}
        <input
          id={field}
          value={alias}
          maxLength={32}
          onChange={event => {
            setAlias(event.target.value);
          }}
        />
      </div>
      <Versions
        {...{ prefix, detail, looked, chosen, choose, promote, verify, trans }}
        evidence={version => api.evidenceUrl(tenant, name, version.version)}
        lineage={version => {
          setLineage(`model:${name}@${String(version.version)}`);
        }}
      />
      {first === undefined || second === undefined ? null : (
        <ModelCompare {...{ api, tenant, trans }} model={name} before={first} after={second} />
      )}
      {lineage === null ? null : <LineageView {...{ api, prefix, tenant, trans }} of={lineage} />}
      {question === null ? null : <QuestionBox {...question} />}
    </>
  );
}

/** What came of a wish about an alias. */
export function movedWords(name: string, moved: Moved, trans: TranslationBundle): string {
  const place = `${name}@${moved.alias.name}`;
  if (moved.held) {
    const needs = moved.needs.map(need => `${String(need.count)} ${need.role}`).join(', ');
    return trans.__('Nothing has moved: %1 has to be approved first (%2). Ask again then.', place, needs);
  }
  return trans.__('%1 leads to version %2.', place, String(moved.alias.version ?? '–'));
}

interface AliasProps {
  readonly api: PageApi;
  readonly tenant: string;
  readonly name: string;
  readonly aliases: readonly Alias[];
  readonly ask: (title: string, more: string, act: (reason: string) => Promise<string>) => void;
  readonly tell: (doing: Promise<string>) => void;
  readonly trans: TranslationBundle;
}

function Aliases({ api, tenant, name, aliases, ask, trans }: AliasProps): JSX.Element {
  if (aliases.length === 0) {
    return <p>{trans.__('No alias leads to a version yet. Promote one.')}</p>;
  }
  const back = (alias: Alias, to: number) => {
    ask(
      trans.__('Roll back %1 to version %2?', alias.name, String(to)),
      trans.__('The alias stays frozen there until somebody thaws it. A reason is wanted.'),
      async reason => movedWords(name, await api.rollBack(tenant, name, alias.name, to, reason), trans)
    );
  };
  const thaw = (alias: Alias) => {
    ask(trans.__('Thaw %1?', alias.name), trans.__('It can be promoted again then.'), async reason =>
      movedWords(name, await api.thaw(tenant, name, alias.name, reason), trans)
    );
  };
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={trans.__('Aliases')}>
      <table className="aif-Table aif-Lines">
        <caption>{trans.__('Aliases')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Alias')}</th>
            <th scope="col">{trans.__('Version')}</th>
            <th scope="col">{trans.__('Since')}</th>
            <th scope="col">{trans.__('Frozen')}</th>
            <th scope="col">{trans.__('Do')}</th>
          </tr>
        </thead>
        <tbody>
          {aliases.map(alias => (
            <tr key={alias.name}>
              <th scope="row">{printable(alias.name)}</th>
              <td>{alias.version ?? '–'}</td>
              <td>{alias.since === null ? '–' : momentIn(alias.since, ZONE)}</td>
              <td>
                {alias.frozen === null
                  ? trans.__('no')
                  : trans.__('by %1: %2', printable(alias.frozen.by), printable(alias.frozen.reason) || '–')}
              </td>
              <td>
                {alias.back === null ? null : (
                  <button
                    type="button"
                    className="aif-Link"
                    onClick={() => {
                      back(alias, alias.back ?? 0);
                    }}
                  >
                    {trans.__('Roll back to version %1…', String(alias.back))}
                  </button>
                )}{' '}
                {alias.frozen === null ? null : (
                  <button
                    type="button"
                    className="aif-Link"
                    onClick={() => {
                      thaw(alias);
                    }}
                  >
                    {trans.__('Thaw %1…', alias.name)}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface VersionsProps {
  readonly prefix: string;
  readonly detail: ModelDetail;
  readonly looked: Readonly<Record<number, Verification>>;
  readonly chosen: readonly number[];
  readonly choose: (number: number) => void;
  readonly promote: (version: Version) => void;
  readonly verify: (version: Version) => void;
  readonly lineage: (version: Version) => void;
  readonly evidence: (version: Version) => string;
  readonly trans: TranslationBundle;
}

function Versions(props: VersionsProps): JSX.Element {
  const { detail, trans } = props;
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={trans.__('Versions')}>
      <table className="aif-Table aif-Lines">
        <caption>{trans.__('Versions')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Version')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Aliases')}</th>
            <th scope="col">{trans.__('From job')}</th>
            <th scope="col">{trans.__('Registered')}</th>
            <th scope="col">{trans.__('Size')}</th>
            <th scope="col">{trans.__('Compare')}</th>
            <th scope="col">{trans.__('Do')}</th>
          </tr>
        </thead>
        <tbody>
          {detail.versions.map(version => (
            <VersionRow key={version.id} version={version} {...props} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function VersionRow({ version, ...props }: VersionsProps & { version: Version }): JSX.Element {
  const { prefix, detail, looked, chosen, trans } = props;
  const number = String(version.version);
  const runs = version.runs_code.map(printable).join(', ');
  return (
    <tr>
      <th scope="row">{number}</th>
      <td>
        <span className="aif-Badge" data-state={version.state}>
          {badge(version, looked[version.version] ?? null, trans)}
        </span>
        {version.why === '' ? null : <div>{printable(version.why)}</div>}
        {runs === '' ? null : <div>{trans.__('Reading these runs code: %1', runs)}</div>}
      </td>
      <td>
        {chips(version, detail.model.aliases, trans).map(chip => (
          <span key={chip} className="aif-Chip">
            {printable(chip)}
          </span>
        ))}
      </td>
      <td>
        <a className="aif-Link" href={jobAddress(prefix, version.job)}>
          {version.job}
        </a>
      </td>
      <td>
        {printable(version.registered_by)}, {momentIn(version.registered_at, ZONE)}
      </td>
      <td className="aif-Number">{bytes(version.size)}</td>
      <td>
        <input
          type="checkbox"
          aria-label={trans.__('Compare version %1', number)}
          checked={chosen.includes(version.version)}
          onChange={() => {
            props.choose(version.version);
          }}
        />
      </td>
      <td>
        <Act
          words={trans.__('Promote version %1…', number)}
          shown={trans.__('Promote…')}
          act={props.promote}
          of={version}
        />{' '}
        <Act
          words={trans.__('Verify version %1 now', number)}
          shown={trans.__('Verify now')}
          act={props.verify}
          of={version}
        />{' '}
        <Act
          words={trans.__('Lineage of version %1', number)}
          shown={trans.__('Lineage')}
          act={props.lineage}
          of={version}
        />{' '}
        <a
          className="aif-Link"
          href={props.evidence(version)}
          aria-label={trans.__('Evidence of version %1', number)}
          download
        >
          {trans.__('Evidence')}
        </a>
      </td>
    </tr>
  );
}

interface ActProps {
  readonly words: string;
  readonly shown: string;
  readonly act: (version: Version) => void;
  readonly of: Version;
}

function Act({ words: label, shown, act, of }: ActProps): JSX.Element {
  return (
    <button
      type="button"
      className="aif-Link"
      aria-label={label}
      onClick={() => {
        act(of);
      }}
    >
      {shown}
    </button>
  );
}
