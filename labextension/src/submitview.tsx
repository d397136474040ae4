/** "Submit as job": a form made from the service's own schema and menu, in a tab that keeps what was typed. */

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { FormComponent, ReactWidget } from '@jupyterlab/ui-components';
import { type ReadonlyJSONObject, UUID } from '@lumino/coreutils';
import { customizeValidator } from '@rjsf/validator-ajv8';
import { type JSX, useCallback, useEffect, useId, useMemo, useRef, useState } from 'react';
import { Offline } from './errors';
import { bytes, money } from './format';
import { sendIcon } from './icons';
import type { HubModel } from './model';
import { filledIn, formSchema, type OpenApi } from './schema';
import { readValue } from './values';
import type { Checked, Job, Menu, Offer, Parameter, Subject, Wanted } from './types';

const validator = customizeValidator<ReadonlyJSONObject>();

export interface SubmitOptions {
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly path: string;
  /** The profile that is chosen at first; empty for this server's own. */
  readonly profile: string;
  /** What an earlier job had; null for a first one. */
  readonly start: Start | null;
  /** Save what is open in an editor, so that what runs is what is seen. */
  readonly save: () => Promise<void>;
  readonly submitted: (job: Job) => void;
}

/** What the form is filled in with at first; `variables` names those whose values are to be typed again. */
export interface Start {
  readonly profile: string;
  readonly command: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly fields: ReadonlyJSONObject;
  readonly variables: readonly string[];
}

class SubmitBody extends ReactWidget {
  constructor(private readonly options: SubmitOptions) {
    super();
    this.addClass('aif-Submit');
  }

  protected render(): JSX.Element {
    return (
      <SubmitView
        {...this.options}
        submitted={job => {
          this.options.submitted(job);
          this.parent?.dispose();
        }}
      />
    );
  }
}

/** A tab for one submission. */
export function makeSubmitTab(options: SubmitOptions): MainAreaWidget {
  const tab = new MainAreaWidget({ content: new SubmitBody(options) });
  tab.id = `aifactory-hub-submit-${options.path}`;
  tab.title.label = options.trans.__('Submit %1', options.path.split('/').pop() || options.trans.__('home'));
  tab.title.icon = sendIcon;
  tab.title.closable = true;
  return tab;
}

interface Known {
  readonly subject: Subject;
  readonly menu: Menu;
  readonly description: OpenApi;
}

/** Reads what the form is made of; again when it could not be had. */
function useKnown({ model, path, save }: SubmitOptions): readonly [Known | null, unknown, () => void] {
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

function words(error: unknown, trans: TranslationBundle): string {
  if (error instanceof Offline) {
    return trans.__('No connection to your server. What you typed is kept; try again in a moment.');
  }
  return error instanceof Error ? error.message : String(error);
}

function SubmitView(props: SubmitOptions): JSX.Element {
  const { trans } = props;
  const [known, trouble, again] = useKnown(props);
  if (known !== null) {
    return <SubmitForm {...props} known={known} refresh={again} />;
  }
  if (trouble === null) {
    return <p className="aif-Empty">{trans.__('Asking what you can have…')}</p>;
  }
  return (
    <>
      <p className="aif-Notice" data-kind="trouble" role="alert">
        {words(trouble, trans)}
      </p>
      <button type="button" className="jp-mod-styled" onClick={again}>
        {trans.__('Try again')}
      </button>
    </>
  );
}

type FormProps = SubmitOptions & { readonly known: Known; readonly refresh: () => void };

function SubmitForm({ model, trans, profile, start, save, submitted, known }: FormProps): JSX.Element {
  const { subject, menu, description } = known;
  const wish = start?.profile || profile || model.overview?.here.profile || '';
  const [chosen, setChosen] = useState(menu.profiles.some(offer => offer.profile === wish) ? wish : '');
  const [command, setCommand] = useState(start?.command ?? subject.command);
  const [parameters, setParameters] = useState<Readonly<Record<string, unknown>>>(start?.parameters ?? {});
  // The names of those whose text can't be read: what would be sent is not what is seen, so nothing is sent.
  const [unread, setUnread] = useState<ReadonlySet<string>>(new Set());
  const [sends, setSends] = useState(true);
  const [fields, setFields] = useState<ReadonlyJSONObject>(start?.fields ?? { name: subject.name });
  const [checked, setChecked] = useState<Checked | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const [busy, setBusy] = useState<'check' | 'submit' | null>(null);
  // One key for all attempts to send this form, so that trying again after a lost answer makes no second job.
  const key = useRef('');
  const schema = useMemo(() => formSchema(description), [description]);
  const uiSchema = useMemo(() => uiFor(trans), [trans]);

  const touch = () => {
    key.current = '';
    setChecked(null);
    setTrouble(null);
  };
  const wanted = (): Wanted => ({
    path: subject.path,
    folder: sends ? subject.folder : null,
    ...(subject.kind === 'notebook' ? { notebook: subject.path.split('/').pop() ?? '', parameters } : {}),
    fields: {
      ...filledIn(fields),
      ...(chosen ? { profile: chosen } : {}),
      ...(subject.kind === 'notebook' ? {} : { command })
    }
  });
  const run = (what: 'check' | 'submit', action: () => Promise<void>) => {
    setBusy(what);
    setTrouble(null);
    save()
      .then(action)
      .catch((error: unknown) => {
        setTrouble(error);
      })
      .finally(() => {
        setBusy(null);
      });
  };
  const check = () => {
    run('check', async () => {
      setChecked(await model.api.check(wanted()));
    });
  };
  const submit = () => {
    run('submit', async () => {
      key.current ||= UUID.uuid4();
      submitted(await model.api.submit(wanted(), key.current));
    });
  };
  const held = busy !== null || unread.size > 0 || (subject.kind !== 'notebook' && command.trim() === '');
  return (
    <form
      aria-label={trans.__('Submit as job')}
      onSubmit={event => {
        event.preventDefault();
        submit();
      }}
    >
      <h1>{trans.__('Submit %1 as a job', subject.path || trans.__('your home folder'))}</h1>
      {menu.simulated ? (
        <p className="aif-Notice" data-kind="simulated">
          {trans.__('The GPUs of this cluster are simulated.')}
        </p>
      ) : null}
      <Profiles
        menu={menu}
        chosen={chosen}
        trans={trans}
        choose={name => {
          setChosen(name);
          touch();
        }}
      />
      {subject.kind === 'notebook' ? (
        <Parameters
          given={subject.parameters}
          values={parameters}
          trans={trans}
          change={values => {
            setParameters(values);
            touch();
          }}
          mark={(name, readable) => {
            setUnread(known => {
              const rest = [...known].filter(other => other !== name);
              return new Set(readable ? rest : [...rest, name]);
            });
          }}
        />
      ) : (
        <label className="aif-Field">
          <span>{trans.__('Command')}</span>
          <input
            type="text"
            value={command}
            spellCheck={false}
            onChange={event => {
              setCommand(event.target.value);
              touch();
            }}
          />
          <small>{trans.__('Run by a shell in the folder that travels.')}</small>
        </label>
      )}
      <label className="aif-Check">
        <input
          type="checkbox"
          checked={sends}
          disabled={subject.kind !== 'folder'}
          onChange={event => {
            setSends(event.target.checked);
            touch();
          }}
        />
        <span>
          {subject.folder === ''
            ? trans.__('Your home folder travels with the job.')
            : trans.__('The folder %1 travels with the job.', subject.folder)}{' '}
          {trans.__('Leave files out with .aifactoryignore.')}
        </span>
      </label>
      {start === null || start.variables.length === 0 ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__(
            'The job before had values for %1, which are secret: fill them in again below.',
            start.variables.join(', ')
          )}
        </p>
      )}
      <details className="aif-More" open={start !== null}>
        <summary>{trans.__('Name, time limit, retries, variables, results')}</summary>
        <FormComponent
          schema={schema}
          uiSchema={uiSchema}
          validator={validator}
          formData={fields}
          tagName="div"
          compact={true}
          showModifiedFromDefault={false}
          onChange={event => {
            setFields(event.formData as ReadonlyJSONObject);
            touch();
          }}
        />
      </details>
      <div aria-live="polite">
        {checked === null ? null : <Verdict checked={checked} trans={trans} />}
        {trouble === null ? null : (
          <p className="aif-Notice" data-kind="trouble" role="alert">
            {words(trouble, trans)}
          </p>
        )}
      </div>
      <div className="aif-Actions">
        <button type="button" className="jp-mod-styled" disabled={held} onClick={check}>
          {busy === 'check' ? trans.__('Checking…') : trans.__('Check')}
        </button>
        <button type="submit" className="jp-mod-styled jp-mod-accept" disabled={held}>
          {busy === 'submit' ? trans.__('Submitting…') : trans.__('Submit')}
        </button>
      </div>
    </form>
  );
}

/** Labels that read better than a field's name; whatever is not here has the service's own. */
function uiFor(trans: TranslationBundle): Record<string, object> {
  const titled = (title: string, more: object = {}) => ({ 'ui:title': title, ...more });
  return {
    name: titled(trans.__('Name')),
    outputs: titled(trans.__('Files to bring back (patterns; empty: all that are new or changed)')),
    environment: titled(trans.__('Variables (others see their names, not their values)')),
    priority: titled(trans.__('Priority')),
    max_seconds: titled(trans.__('Longest run, in seconds')),
    engine: titled(trans.__('Engine (empty: the site’s first)')),
    nodes: titled(trans.__('Nodes, each with the whole profile')),
    retries: titled(trans.__('Tries after a failure')),
    retry_backoff: titled(trans.__('Seconds before the first of them'))
  };
}

interface ProfilesProps {
  readonly menu: Menu;
  readonly chosen: string;
  readonly trans: TranslationBundle;
  readonly choose: (profile: string) => void;
}

function Profiles({ menu, chosen, trans, choose }: ProfilesProps): JSX.Element {
  const group = useId();
  return (
    <fieldset className="aif-Profiles">
      <legend>{trans.__('Profile, as of %1', new Date(menu.as_of).toLocaleTimeString())}</legend>
      {menu.unavailable === null ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {menu.unavailable}
        </p>
      )}
      {menu.profiles.map(offer => (
        <Profile
          key={offer.profile}
          offer={offer}
          group={group}
          trans={trans}
          checked={offer.profile === chosen}
          choose={choose}
        />
      ))}
    </fieldset>
  );
}

interface ProfileProps {
  readonly offer: Offer;
  readonly group: string;
  readonly trans: TranslationBundle;
  readonly checked: boolean;
  readonly choose: (profile: string) => void;
}

function Profile({ offer, group, trans, checked, choose }: ProfileProps): JSX.Element {
  const id = useId();
  const price = offer.price_per_hour;
  // A job that must wait waits in the queue; only what can never be had can't be chosen.
  const never = offer.availability === 'never' || offer.availability === 'unavailable';
  return (
    <div className="aif-Profile" data-availability={offer.availability}>
      <input
        type="radio"
        id={id}
        name={group}
        checked={checked}
        disabled={never}
        aria-describedby={`${id}-more`}
        onChange={() => {
          choose(offer.profile);
        }}
      />
      <label htmlFor={id}>
        <b>{offer.profile}</b>
        <span>{offer.gpu?.words ?? trans.__('no GPU')}</span>
        <span className="aif-Number">
          {price === null ? '' : trans.__('%1 an hour', money(Number(price)))}
        </span>
      </label>
      <p id={`${id}-more`}>{[offer.reason, ...offer.advice].filter(line => line !== '').join(' · ')}</p>
    </div>
  );
}

interface ParametersProps {
  readonly given: readonly Parameter[];
  readonly values: Readonly<Record<string, unknown>>;
  readonly trans: TranslationBundle;
  readonly change: (values: Readonly<Record<string, unknown>>) => void;
  readonly mark: (name: string, readable: boolean) => void;
}

function Parameters({ given, values, trans, change, mark }: ParametersProps): JSX.Element {
  if (given.length === 0) {
    return (
      <p className="aif-Hint">
        {trans.__(
          'This notebook has no parameters. Tag the cell that sets them with "parameters" to fill them in here.'
        )}
      </p>
    );
  }
  return (
    <fieldset className="aif-Parameters">
      <legend>{trans.__('Parameters')}</legend>
      {given.map(parameter => (
        <ParameterField
          key={parameter.name}
          parameter={parameter}
          set={values[parameter.name]}
          trans={trans}
          change={value => {
            const rest = Object.fromEntries(
              Object.entries(values).filter(([name]) => name !== parameter.name)
            );
            change(value === undefined ? rest : { ...rest, [parameter.name]: value });
          }}
          mark={readable => {
            mark(parameter.name, readable);
          }}
        />
      ))}
    </fieldset>
  );
}

interface ParameterProps {
  readonly parameter: Parameter;
  /** What it was given before; undefined for the notebook's own value. */
  readonly set: unknown;
  readonly trans: TranslationBundle;
  readonly change: (value: unknown) => void;
  readonly mark: (readable: boolean) => void;
}

function ParameterField({ parameter, set, trans, change, mark }: ParameterProps): JSX.Element {
  const { name, value, about } = parameter;
  const first = set === undefined ? value : set;
  const [text, setText] = useState(typeof first === 'string' ? first : JSON.stringify(first));
  const [bad, setBad] = useState(false);
  const id = useId();
  return (
    <div className="aif-Field">
      <label htmlFor={id}>{name}</label>
      <input
        id={id}
        type="text"
        value={text}
        spellCheck={false}
        aria-invalid={bad}
        aria-describedby={`${id}-about`}
        onChange={event => {
          setText(event.target.value);
          try {
            change(readValue(event.target.value, value));
            setBad(false);
            mark(true);
          } catch {
            setBad(true);
            mark(false);
          }
        }}
      />
      <small id={`${id}-about`}>
        {bad ? trans.__('Write it as JSON, such as 0.1, true, [1, 2] or "text".') : about}
      </small>
    </div>
  );
}

function Verdict({ checked, trans }: { checked: Checked; trans: TranslationBundle }): JSX.Element {
  const { verdict, size } = checked;
  const cost = verdict.cost;
  return (
    <section className="aif-Verdict" aria-label={trans.__('What would happen')}>
      <h2>{verdict.accepted ? trans.__('It would be taken') : trans.__('It would be refused')}</h2>
      <ul>
        {verdict.verdicts.map(entry => (
          <li key={entry.check} data-ok={entry.ok}>
            <span aria-hidden="true">{entry.ok ? '✓' : '!'}</span> {entry.detail}
          </li>
        ))}
        {verdict.expected_wait === null ? null : (
          <li>{trans.__('Expected wait: %1', verdict.expected_wait.words)}</li>
        )}
        {cost?.at_most == null ? (
          <li>{trans.__('Cost: the site sets no price.')}</li>
        ) : (
          <li>
            {trans.__(
              'Cost: %1 at most, if it runs for the longest %2 h.',
              money(Number(cost.at_most)),
              cost.hours
            )}
          </li>
        )}
        {size === null ? null : <li>{trans.__('%1 would travel with it.', bytes(size))}</li>}
      </ul>
    </section>
  );
}
