/** "Submit as job": a form made from the service's own schema and menu, in a tab that keeps what was typed. */

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import type { JSX } from 'react';
import { sendIcon } from './icons';
import type { HubModel } from './model';
import { SubmitForm } from './submitform';
import { useKnown } from './submitknown';
import type { Job, Schedule } from './types';
import { formTroubleWords } from './words';

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
  readonly scheduled: (schedule: Schedule) => void;
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
        scheduled={schedule => {
          this.options.scheduled(schedule);
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

function SubmitView(props: SubmitOptions): JSX.Element {
  const { trans } = props;
  const [known, trouble, again] = useKnown(props);
  if (known !== null) {
    return <SubmitForm {...props} known={known} />;
  }
  if (trouble === null) {
    return <p className="aif-Empty">{trans.__('Asking what you can have…')}</p>;
  }
  return (
    <>
      <p className="aif-Notice" data-kind="trouble" role="alert">
        {formTroubleWords(trouble, trans)}
      </p>
      <button type="button" className="jp-mod-styled" onClick={again}>
        {trans.__('Try again')}
      </button>
    </>
  );
}
