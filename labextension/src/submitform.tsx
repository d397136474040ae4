/** The form, once it is known what can be had. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { FormComponent } from '@jupyterlab/ui-components';
import { type ReadonlyJSONObject, UUID } from '@lumino/coreutils';
import { customizeValidator } from '@rjsf/validator-ajv8';
import { type JSX, useMemo, useRef, useState } from 'react';
import { besides, fieldErrors } from './findings';
import { fieldTrouble, type Titles } from './formtrouble';
import { firstChoice } from './offers';
import { filledIn, formSchema } from './schema';
import type { Known } from './submitknown';
import { Parameters } from './submitparameters';
import { Profiles } from './submitprofiles';
import { isOfTiming, Repeat } from './submitrepeat';
import { Findings, Verdict } from './submitverdict';
import type { SubmitOptions } from './submitview';
import type { Checked, Subject, Timing, Wanted } from './types';
import { useFindings } from './usefindings';
import { formTroubleWords } from './words';

const validator = customizeValidator<ReadonlyJSONObject>();

type FormProps = SubmitOptions & { readonly known: Known };

export function SubmitForm(props: FormProps): JSX.Element {
  const { model, trans, profile, start, save, submitted, scheduled, known } = props;
  const { subject, menu, description } = known;
  const wishes = [start?.profile, profile, model.overview?.here.profile];
  const [chosen, setChosen] = useState(() => firstChoice(menu, wishes));
  const [command, setCommand] = useState(start?.command ?? subject.command);
  const [parameters, setParameters] = useState<Readonly<Record<string, unknown>>>(start?.parameters ?? {});
  // The names of those whose text can't be read: what would be sent is not what is seen, so nothing is sent.
  const [unread, setUnread] = useState<ReadonlySet<string>>(new Set());
  const [sends, setSends] = useState(true);
  const [fields, setFields] = useState<ReadonlyJSONObject>(start?.fields ?? { name: subject.name });
  const [more, setMore] = useState(start !== null);
  const [timing, setTiming] = useState<Timing | null>(null);
  const [checked, setChecked] = useState<Checked | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const [busy, setBusy] = useState<'check' | 'submit' | null>(null);
  // An answer that comes after the schedule was changed says nothing of what stands there now.
  const sent = useRef<Timing | null>(null);
  // One key for all attempts to send this form, so that trying again after a lost answer makes no second job.
  const key = useRef('');
  const schema = useMemo(() => formSchema(description), [description]);
  const titles = useMemo(() => titlesOf(trans), [trans]);
  const uiSchema = useMemo(
    () => Object.fromEntries(Object.entries(titles).map(([name, title]) => [name, { 'ui:title': title }])),
    [titles]
  );
  const atField = fieldTrouble(trouble, titles);

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
      sent.current = timing;
      if (timing === null) {
        submitted(await model.api.submit(wanted(), key.current));
      } else {
        scheduled(await model.api.makeSchedule(wanted(), timing, key.current));
      }
    });
  };
  const findings = useFindings(
    model.api,
    wanted(),
    unread.size === 0 && (subject.kind === 'notebook' || command.trim() !== '')
  );
  const errors = fieldErrors(atField, findings, titles);
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
      <Travels
        subject={subject}
        sends={sends}
        trans={trans}
        change={wanted => {
          setSends(wanted);
          touch();
        }}
      />
      {start === null || start.variables.length === 0 ? null : (
        <p className="aif-Notice" data-kind="trouble">
          {trans.__(
            'The job before had values for %1, which are secret: fill them in again below.',
            start.variables.join(', ')
          )}
        </p>
      )}
      <details
        className="aif-More"
        open={more || Object.keys(errors).length > 0}
        onToggle={event => {
          setMore(event.currentTarget.open);
        }}
      >
        <summary>{trans.__('Name, time limit, retries, variables, results')}</summary>
        <FormComponent
          schema={schema}
          uiSchema={uiSchema}
          validator={validator}
          liveValidate={true}
          showErrorList={false}
          extraErrors={errors}
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
      {'/schedules/preview' in (description.paths ?? {}) ? (
        <Repeat
          timing={timing}
          api={model.api}
          refused={isOfTiming(trouble) && sent.current === timing ? trouble : null}
          trans={trans}
          change={wish => {
            setTiming(wish);
            touch();
          }}
        />
      ) : null}
      <div aria-live="polite">
        <Findings findings={besides(findings, titles)} trans={trans} />
        {checked === null ? null : <Verdict checked={checked} trans={trans} />}
        {trouble === null || isOfTiming(trouble) || atField !== null ? null : (
          <p className="aif-Notice" data-kind="trouble" role="alert">
            {formTroubleWords(trouble, trans)}
          </p>
        )}
      </div>
      <div className="aif-Actions">
        <button type="button" className="jp-mod-styled" disabled={held} onClick={check}>
          {busy === 'check' ? trans.__('Checking…') : trans.__('Check')}
        </button>
        <button type="submit" className="jp-mod-styled jp-mod-accept" disabled={held}>
          {busy === 'submit'
            ? trans.__('Submitting…')
            : timing === null
              ? trans.__('Submit')
              : trans.__('Make the schedule')}
        </button>
      </div>
    </form>
  );
}

interface TravelsProps {
  readonly subject: Subject;
  readonly sends: boolean;
  readonly trans: TranslationBundle;
  readonly change: (sends: boolean) => void;
}

/** What goes with the job: a file needs its folder, a command may do without. */
function Travels({ subject, sends, trans, change }: TravelsProps): JSX.Element {
  const folder =
    subject.folder === ''
      ? trans.__('Your home folder travels with the job.')
      : trans.__('The folder %1 travels with the job.', subject.folder);
  const words = `${folder} ${trans.__('Leave files out with .aifactoryignore.')}`;
  return subject.kind !== 'folder' ? (
    <p className="aif-Hint">{words}</p>
  ) : (
    <label className="aif-Check">
      <input
        type="checkbox"
        checked={sends}
        onChange={event => {
          change(event.target.checked);
        }}
      />
      <span>{words}</span>
    </label>
  );
}

/** Names that read better than a field's; whatever is not here has the service's own. */
function titlesOf(trans: TranslationBundle): Titles {
  return {
    name: trans.__('Name'),
    outputs: trans.__('Files to bring back (patterns; empty: all that are new or changed)'),
    environment: trans.__('Variables (others see their names, not their values)'),
    priority: trans.__('Priority'),
    max_seconds: trans.__('Longest run, in seconds'),
    engine: trans.__('Engine (empty: the site’s first)'),
    nodes: trans.__('Nodes, each with the whole profile'),
    retries: trans.__('Tries after a failure'),
    retry_backoff: trans.__('Seconds before the first of them'),
    notify: trans.__('Notify')
  };
}
